// One block of memory with a fixed place for every tensor of a candidate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights/tensor.hpp"

namespace galapagos {

enum class ArenaUse {
    memory,
    layout,  ///< addresses alone, which nobody may read or write, and for which no memory is kept
};

/// The memory that candidates are merged into, one after the other. Allocated once; every tensor
/// keeps its address, aligned to 64 bytes, for the arena's life (moving the arena keeps them too).
/// Huge pages are asked for. Memory starts as zeros.
class Arena {
  public:
    Arena() = default;
    /// Throws Error if two tensors share a name or the memory is not to be had.
    explicit Arena(const std::vector<TensorSpec>& specs, ArenaUse use = ArenaUse::memory);
    ~Arena();
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&& other) noexcept;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    bool has(std::string_view name) const;
    /// Throws Error with the nearest name if there is no such tensor.
    MutableTensorView tensor(std::string_view name);
    TensorView view(std::string_view name) const;

    /// The tensors in the order they were declared.
    const std::vector<TensorSpec>& specs() const noexcept { return specs_; }
    /// All tensors' bytes, with the padding between them (zeros).
    std::span<std::byte> span() noexcept { return {memory_, bytes_}; }
    std::span<const std::byte> span() const noexcept { return {memory_, bytes_}; }
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    std::size_t find(std::string_view name) const;
    void release() noexcept;

    std::vector<TensorSpec> specs_;
    std::vector<std::size_t> offsets_;
    std::unordered_map<std::string, std::size_t> index_;
    std::byte* mapped_ = nullptr;  ///< what was mapped; `memory_` is the aligned part
    std::byte* memory_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t mapped_bytes_ = 0;
};

}  // namespace galapagos
