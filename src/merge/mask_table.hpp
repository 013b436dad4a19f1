// L1 norms of randomly thinned task vectors, for every keep probability at once.
#pragma once

#include <cstdint>
#include <vector>

#include "merge/delta.hpp"
#include "merge/random_mask.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

/// The random word of an element never changes, so the sum over the elements kept at a probability
/// is a fixed step function. One pass over the delta tabulates it.
class MaskTable {
  public:
    MaskTable(const DeltaPair& pair, const FixedPoint& fixed, const MaskStream& stream,
              StatisticPasses& passes = cpu_passes());

    const MaskStream& stream() const noexcept { return stream_; }
    /// Sum of |delta| over all elements, in units of the fixed-point numbers.
    std::int64_t total() const noexcept { return kept_.back(); }
    /// The same over the elements kept at a level.
    std::int64_t kept(std::uint32_t level) const noexcept { return kept_[level]; }
    std::size_t bytes() const noexcept { return kept_.capacity() * sizeof(std::int64_t); }

  private:
    MaskStream stream_;
    std::vector<std::int64_t> kept_;
};

/// The sums of magnitudes at each level, by all threads.
std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                        const MaskStream& stream);

}  // namespace galapagos
