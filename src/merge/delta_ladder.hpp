// Order statistics of a task vector's magnitudes: what a top-k has to know.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "merge/delta.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

/// The magnitudes of a delta, sorted into steps, as finely as was asked for so far. A refined step
/// holds at most one in 512 elements, or elements of a single magnitude (16-bit models differ by
/// few distinct amounts); so the k-th largest is found by looking at one step's elements.
class DeltaLadder {
  public:
    /// The passes must outlive the ladder.
    DeltaLadder(const DeltaPair& pair, const FixedPoint& fixed,
                StatisticPasses& passes = cpu_passes());

    struct Step {
        std::uint32_t low = 0;  ///< smallest and largest bit pattern in the step
        std::uint32_t high = 0;
        std::int64_t count = 0;
        std::int64_t sum = 0;        ///< of the step's magnitudes, in fixed-point units
        std::int64_t above = 0;      ///< elements of higher steps
        std::int64_t sum_above = 0;  ///< and their sum

        bool one_value() const noexcept { return low == high; }
    };

    /// The most elements of several magnitudes that a refined step holds, of a tensor of so many.
    static std::int64_t crowd(std::int64_t elements) {
        return std::max<std::int64_t>(16, elements / 512);
    }

    /// Splits the step that holds the k-th largest magnitude where a cut would fall into a crowd.
    void refine(std::int64_t k);
    /// The step that holds the k-th largest magnitude; 1 <= k <= number of elements.
    const Step& step_of(std::int64_t k) const;
    std::int64_t total() const noexcept;

    /// How many elements of each chunk have a magnitude, for one that fills a step. Kept once
    /// counted; true: new, to be filled by the caller.
    using TieCounts = std::vector<std::uint16_t>;
    std::pair<TieCounts&, bool> ties(std::uint32_t value);
    void forget_ties() { ties_.clear(); }

    const DeltaPair& pair() const noexcept { return pair_; }
    const FixedPoint& fixed_point() const noexcept { return fixed_; }
    std::size_t bytes() const noexcept;

  private:
    DeltaPair pair_;
    FixedPoint fixed_;
    StatisticPasses* passes_;
    std::int64_t crowd_;
    std::vector<Step> steps_;  ///< from large magnitudes to small ones
    std::unordered_map<std::uint32_t, TieCounts> ties_;
};

static_assert(delta_chunk <= std::int64_t{1} << 15, "a chunk's ties are counted in 16 bits");

}  // namespace galapagos
