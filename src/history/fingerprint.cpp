#include <cstring>

#include "base/hash.hpp"
#include "history/history_reader.hpp"

namespace galapagos {
namespace {

class Canonical {
  public:
    template <typename T>
    requires std::is_arithmetic_v<T>
    void add(T value) {
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof raw);
        bytes_.append(raw, sizeof raw);
    }
    void add(const std::string& text) {
        add(text.size());
        bytes_ += text;
    }
    template <typename T>
    void add(const std::vector<T>& values) {
        add(values.size());
        for (const T& value : values) add(value);
    }
    std::string digest() const { return sha256_hex(std::string_view(bytes_)); }

  private:
    std::string bytes_;
};

}  // namespace

std::string fingerprint(const IslandHistory& island) {
    Canonical all;
    all.add(island.island);
    for (const GenerationRecord& row : island.generations) {
        all.add(row.generation);
        all.add(row.evaluations);
        for (const double value : {row.best, row.mean, row.deviation, row.diversity})
            all.add(value);
        all.add(row.best_candidate);
        all.add(row.diagnostics);
    }
    for (const CandidateRecord& row : island.candidates) {
        all.add(row.id);
        all.add(row.generation);
        all.add(row.parents[0]);
        all.add(row.parents[1]);
        all.add(static_cast<uint8_t>(row.origin));
        all.add(static_cast<uint8_t>(row.status));
        all.add(row.fitness);
        all.add(row.tokens);
        all.add(row.reason);
        all.add(row.genome);
        all.add(row.scores);
        all.add(row.answers);
    }
    for (const MigrationRecord& row : island.migrations) {
        all.add(row.generation);
        all.add(row.candidate);
        all.add(row.fitness);
        all.add(row.peer);
        all.add(static_cast<uint8_t>(row.direction));
        all.add(row.genome);
    }
    return all.digest();
}

}  // namespace galapagos
