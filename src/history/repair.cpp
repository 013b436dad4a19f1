#include "history/repair.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/history_writer.hpp"
#include "history/part_tables.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

// Superblock version 3: the end-of-file address lies at byte 28.
constexpr size_t end_address = 28;

class TemporaryFile {
  public:
    explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
    ~TemporaryFile() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

/// The length that the file says it should have; 0 when it can't say.
uint64_t promised_length(const fs::path& file) {
    const MappedFile map(file);
    if (map.bytes().size() < end_address + sizeof(uint64_t)) return 0;
    uint64_t length = 0;
    std::memcpy(&length, map.bytes().data() + end_address, sizeof length);
    return length;
}

template <typename Record>
std::vector<Record> of_generation(const std::vector<Record>& records, size_t& at,
                                  uint64_t generation) {
    std::vector<Record> rows;
    while (at < records.size() && records[at].generation == generation)
        rows.push_back(records[at++]);
    return rows;
}

}  // namespace

HistoryPart rescue_part(const fs::path& file) {
    const ReadOptions options{.answers = true, .tolerate_damage = true};
    const uint64_t promised = promised_length(file);
    // A length beyond anything plausible is damage itself.
    const bool cut =
        promised > fs::file_size(file) && promised < fs::file_size(file) + (1ULL << 32);
    if (!cut) return read_part(file, options);
    const TemporaryFile copy(fmt::format("{}.tmp.{}", file.string(), ::getpid()));
    fs::copy_file(file, copy.path(), fs::copy_options::overwrite_existing);
    fs::resize_file(copy.path(), promised);
    HistoryPart part = read_part(copy.path(), options);
    part.file = file;
    return part;
}

void rewrite_part(const HistoryPart& part) {
    PartIdentity identity{part.run_uuid, part.config_hash, part.island, part.part, {}};
    for (const auto& [name, value] : part.attributes)
        if (name != "galapagos_format" && name != "created")
            identity.attributes.emplace_back(name, value);
    const TemporaryFile fresh(fmt::format("{}.tmp.repair", part.file.string()));
    fs::remove(fresh.path());
    HistoryWriter writer(fresh.path(), identity, part.schema);
    for (const EventRecord& event : part.events) writer.event(event);
    size_t candidate = 0, migration = 0;
    for (const GenerationRecord& generation : part.generations)
        writer.append(generation, of_generation(part.candidates, candidate, generation.generation),
                      of_generation(part.migrations, migration, generation.generation));
    writer.sync();
    writer.close();
    std::error_code error;
    fs::rename(fresh.path(), part.file, error);
    if (error) throw Error(fmt::format("can't replace {}", part.file.string()), error.message());
}

}  // namespace galapagos
