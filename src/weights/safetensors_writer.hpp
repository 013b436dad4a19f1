// Writing tensors as a Hugging Face folder's safetensors files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor.hpp"

namespace galapagos {

struct SafetensorsWriterOptions {
    /// Data bytes after which a new shard begins; a tensor larger than this gets a shard to itself.
    std::uint64_t max_shard_bytes = 5'000'000'000;
    /// `__metadata__` of every shard. Transformers wants {"format": "pt"}.
    std::map<std::string, std::string> metadata = {{"format", "pt"}};
    /// Name of the single file without its suffix; shards are "<stem>-00001-of-00003.safetensors"
    /// with "<stem>.safetensors.index.json".
    std::string stem = "model";
    /// Replace a single file of the same name instead of refusing.
    bool replace = false;
    /// Force the data to disk before a file gets its final name. Without it, a power failure can
    /// leave a file of zeros: only for files that nobody will miss.
    bool sync = true;
};

/// Writes tensors that were all declared beforehand, each in turn and in any order, without holding
/// them in memory.
///
/// Nothing with a final name exists before `finish`: shards are written under temporary names,
/// synced, renamed, and the index comes last. A writer destroyed before `finish` removes its
/// temporary files. `write` may be called by several threads at once for different tensors.
class SafetensorsWriter {
  public:
    /// Lays out all shards in `folder`, which must exist. Throws Error if two tensors share a name
    /// or if the folder already holds weights under this stem (a stale index would otherwise win
    /// over the new file).
    SafetensorsWriter(const std::filesystem::path& folder, std::vector<TensorSpec> tensors,
                      SafetensorsWriterOptions options = {});
    ~SafetensorsWriter();
    SafetensorsWriter(const SafetensorsWriter&) = delete;
    SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

    /// Writes a whole tensor. Throws Error if it was not declared, has another size, or was written
    /// before.
    void write(std::string_view name, std::span<const std::byte> data);

    /// Makes the files visible. Throws Error, and leaves nothing, if a declared tensor is missing.
    void finish();

    /// Final paths of the shards, and of the index if there is one; complete once `finish` has
    /// returned.
    const std::vector<std::filesystem::path>& files() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace galapagos
