// The state that resumes an island: opaque bytes in a checksummed file, replaced atomically.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

struct Checkpoint {
    uint32_t island = 0;
    uint64_t generation = 0;  // generations told when it was taken
    std::string state;        // the caller's bytes
};

/// The checkpoints of one island in run/checkpoint: i0003.g000000000012.ckpt. Keeps the newest
/// `keep`.
class CheckpointStore {
  public:
    CheckpointStore(std::filesystem::path folder, uint32_t island, std::string config_hash,
                    int keep = 2);

    /// Temporary file, fsync, rename, fsync of the folder, then removal of older ones: an
    /// interruption or a full disk leaves the previous checkpoints untouched. Throws Error.
    void save(uint64_t generation, std::string_view state) const;

    /// The newest one that is whole; damaged newer ones are skipped with a warning. Nothing if
    /// there is none at all. Throws Error if files exist but none is whole, UsageError if one
    /// belongs to another configuration.
    std::optional<Checkpoint> load_newest(std::vector<std::string>& warnings) const;

    /// Exactly this generation. Throws Error if missing or damaged.
    Checkpoint load(uint64_t generation) const;

    /// Generations with a checkpoint file, newest first, whole or not.
    std::vector<uint64_t> generations() const;

    std::filesystem::path file(uint64_t generation) const;

  private:
    std::filesystem::path folder_;
    uint32_t island_;
    std::string config_hash_;
    int keep_;
};

/// Reads and checks any checkpoint file; `config_hash` receives what it was written for.
Checkpoint read_checkpoint(const std::filesystem::path& file, std::string* config_hash = nullptr);

}  // namespace galapagos
