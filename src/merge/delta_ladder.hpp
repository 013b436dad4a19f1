// Exact order statistics of a task vector's magnitudes: which elements a top-k keeps.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "merge/delta.hpp"

namespace galapagos {

/// The magnitudes of a delta, sorted into steps once. A step holds at most one in 512 elements, or
/// elements of a single magnitude (16-bit models differ by few distinct amounts); so the k-th
/// largest is found by looking at one step's elements.
class DeltaLadder {
  public:
    DeltaLadder(const DeltaPair& pair, const FixedPoint& fixed);

    struct Step {
        std::uint32_t low = 0;  ///< smallest and largest bit pattern in the step
        std::uint32_t high = 0;
        std::int64_t count = 0;
        std::int64_t sum = 0;        ///< of the step's magnitudes, in fixed-point units
        std::int64_t above = 0;      ///< elements of higher steps
        std::int64_t sum_above = 0;  ///< and their sum

        bool one_value() const noexcept { return low == high; }
    };

    /// The step that holds the k-th largest magnitude; 1 <= k <= number of elements.
    const Step& step_of(std::int64_t k) const;
    std::int64_t total() const noexcept;
    std::size_t bytes() const noexcept { return steps_.capacity() * sizeof(Step); }

  private:
    std::vector<Step> steps_;  ///< from large magnitudes to small ones
};

/// One top-k: in, what to select from; out, where to cut.
struct CutRequest {
    DeltaPair pair;
    const DeltaLadder* ladder = nullptr;
    FixedPoint fixed;
    std::int64_t k = 0;

    std::uint32_t threshold = 0;  ///< magnitudes above are kept
    std::int64_t last_tie = 0;    ///< equal ones up to this element, too
    std::int64_t kept_sum = 0;    ///< L1 norm of what is kept, in units

    // Scratch, reused from candidate to candidate.
    std::vector<std::uint64_t> found;
    std::vector<std::int64_t> chunk_counts;
};

/// Answers all requests with one parallel pass over those deltas whose step has to be looked into.
/// Of equal magnitudes, those of lower index are kept: a stable descending sort, as torch's on CPU.
void find_cuts(std::span<CutRequest> requests);

}  // namespace galapagos
