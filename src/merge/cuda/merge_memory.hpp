// What a device merger takes of the device beside sources and candidate, planned before the first
// candidate: nothing is allocated later.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "merge/plan.hpp"
#include "weights/residency.hpp"
#include "weights/sharding.hpp"

namespace galapagos::cuda {

/// Where pieces of a device's memory begin.
inline constexpr std::size_t memory_alignment = 256;
inline std::size_t aligned(std::size_t bytes) {
    return (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
}

/// Bytes of each part, multiples of the alignment.
struct MergeBytes {
    std::size_t tables = 0;   ///< of the launches of a candidate
    std::size_t factors = 0;  ///< of its rows and columns
    std::size_t scratch = 0;  ///< of one pass of statistics, with its results
    std::size_t ranks = 0;    ///< of magnitudes (DELLA), which are kept

    std::size_t total() const noexcept { return tables + factors + scratch + ranks; }
};

/// Enough for a rank that merges any number of candidates whose plans are like one of `forms`:
/// methods, tensors and flags are the form's, weights, densities and other real numbers are any.
/// Throws Error for a form of too many sources.
MergeBytes merge_bytes(std::span<const MergePlan> forms, const Sharding& sharding,
                       Residency sources = Residency::device);

/// A stretch of the device's memory that is set aside for one purpose. Its members throw Error
/// where it is too small.
class ReservedMemory {
  public:
    ReservedMemory(std::string purpose, std::byte* at, std::size_t bytes)
        : purpose_(std::move(purpose)), at_(at), bytes_(bytes) {}

    /// `bytes` from its beginning on, whatever they held.
    std::byte* begin(std::size_t bytes);
    /// `bytes` beside all that were taken before, never given back.
    std::byte* take(std::size_t bytes);

    std::size_t bytes() const noexcept { return bytes_; }
    /// The most that was asked for so far.
    std::size_t used() const noexcept { return used_; }

  private:
    void use(std::size_t bytes);

    std::string purpose_;
    std::byte* at_;
    std::size_t bytes_;
    std::size_t taken_ = 0, used_ = 0;
};

/// The parts, one behind the other.
struct MergeMemory {
    MergeMemory(const MergeBytes& bytes, std::byte* at);

    ReservedMemory tables, factors, scratch, ranks;
};

}  // namespace galapagos::cuda
