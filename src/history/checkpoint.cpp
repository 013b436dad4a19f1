#include "history/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

// File: magic, version, island, generation, length of the state (little-endian), the
// configuration's SHA-256 in 64 hexadecimal digits, the state, and the SHA-256 of everything before
// it, likewise.
constexpr std::string_view magic = "GALPCKPT";
constexpr uint32_t format_version = 1;
constexpr size_t digest_bytes = 64;
constexpr size_t header_bytes = 8 + 4 + 4 + 8 + 8 + digest_bytes;

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
T take(std::string_view& in) {
    T value;
    std::memcpy(&value, in.data(), sizeof value);
    in.remove_prefix(sizeof value);
    return value;
}

[[noreturn]] void damaged(const fs::path& file, const std::string& why) {
    throw Error(fmt::format("{}: damaged checkpoint", file.string()), why);
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path folder, uint32_t island, std::string config_hash,
                                 int keep)
    : folder_(std::move(folder)),
      island_(island),
      config_hash_(std::move(config_hash)),
      keep_(std::max(1, keep)) {
    if (config_hash_.size() != digest_bytes)
        throw Error("can't use checkpoints", "the configuration's hash is no SHA-256");
}

fs::path CheckpointStore::file(uint64_t generation) const {
    return folder_ / fmt::format("i{:04}.g{:012}.ckpt", island_, generation);
}

void CheckpointStore::save(uint64_t generation, std::string_view state) const {
    std::string content(magic);
    content.reserve(header_bytes + state.size() + digest_bytes);
    put(content, format_version);
    put(content, island_);
    put(content, generation);
    put(content, uint64_t{state.size()});
    content += config_hash_;
    content += state;
    content += sha256_hex(std::string_view(content));
    write_atomically(file(generation), content);

    const auto all = generations();
    // A later generation can only be left from an attempt that a resume has thrown away.
    size_t kept = 0;
    for (const uint64_t other : all) {
        if (other <= generation && kept++ < static_cast<size_t>(keep_)) continue;
        std::error_code ignored;
        fs::remove(file(other), ignored);
    }
}

std::vector<uint64_t> CheckpointStore::generations() const {
    const std::string prefix = fmt::format("i{:04}.g", island_);
    std::vector<uint64_t> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
        const std::string name = entry.path().filename();
        uint64_t generation = 0;
        if (!name.starts_with(prefix) || !name.ends_with(".ckpt")) continue;
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), generation);
        if (file(generation).filename() == name) found.push_back(generation);
    }
    std::sort(found.rbegin(), found.rend());
    return found;
}

Checkpoint CheckpointStore::load(uint64_t generation) const {
    std::string hash;
    Checkpoint checkpoint = read_checkpoint(file(generation), &hash);
    if (checkpoint.island != island_ || checkpoint.generation != generation)
        damaged(file(generation), "its name and content differ");
    if (hash != config_hash_)
        throw UsageError(fmt::format("{}: refused", file(generation).string()),
                         "written by a run of another configuration",
                         "Use the configuration of that run, or another --run-dir.");
    return checkpoint;
}

std::optional<Checkpoint> CheckpointStore::load_newest(std::vector<std::string>& warnings) const {
    const auto all = generations();
    for (const uint64_t generation : all) {
        try {
            return load(generation);
        } catch (const UsageError&) {
            throw;
        } catch (const Error& error) {
            warnings.emplace_back(error.what());
        }
    }
    if (all.empty()) return std::nullopt;
    throw Error(fmt::format("{}: no whole checkpoint of island {}", folder_.string(), island_),
                warnings.back(), "Move the run's files aside and start again.");
}

Checkpoint read_checkpoint(const fs::path& file, std::string* config_hash) {
    const std::string content = read_text(file);
    if (content.size() < header_bytes + digest_bytes) damaged(file, "truncated");
    std::string_view rest(content);
    if (!rest.starts_with(magic)) damaged(file, "not a checkpoint");
    rest.remove_prefix(magic.size());
    const auto version = take<uint32_t>(rest);
    Checkpoint checkpoint;
    checkpoint.island = take<uint32_t>(rest);
    checkpoint.generation = take<uint64_t>(rest);
    const auto length = take<uint64_t>(rest);
    if (length != content.size() - header_bytes - digest_bytes)
        damaged(file, fmt::format("{} bytes, its header promises {}", content.size(),
                                  header_bytes + digest_bytes + length));
    const std::string_view covered(content.data(), content.size() - digest_bytes);
    if (sha256_hex(covered) != content.substr(content.size() - digest_bytes))
        damaged(file, "wrong checksum");
    if (version != format_version)
        throw UsageError(
            fmt::format("{}: refused", file.string()),
            fmt::format("checkpoint format {}, this program reads {}", version, format_version));
    if (config_hash != nullptr) *config_hash = std::string(rest.substr(0, digest_bytes));
    checkpoint.state = std::string(rest.substr(digest_bytes, length));
    return checkpoint;
}

}  // namespace galapagos
