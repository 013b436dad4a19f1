// What depends on the sources alone, computed at first use and kept.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "merge/delta_ladder.hpp"
#include "merge/mask_table.hpp"
#include "merge/slerp.hpp"

namespace galapagos {

/// Statistics of one delta.
struct DeltaStatistics {
    FixedPoint fixed;
    std::unique_ptr<DeltaLadder> ladder;  ///< once a magnitude threshold was asked for
    std::unique_ptr<MaskTable> masks;     ///< of the stream asked for last
};

/// Keyed by where the tensors lie: mapped sources stay where they are.
class SourceStatistics {
  public:
    const PairStatistics& pair(const StoredTensor& a, const StoredTensor& b, std::int64_t count);
    const DeltaStatistics& with_ladder(const DeltaPair& pair);
    const DeltaStatistics& with_masks(const DeltaPair& pair, const MaskStream& stream);

    std::size_t bytes() const;
    void clear();

  private:
    using Key = std::tuple<const std::byte*, const std::byte*>;
    DeltaStatistics& delta(const DeltaPair& pair);

    std::map<Key, PairStatistics> pairs_;
    std::map<Key, DeltaStatistics> deltas_;
};

}  // namespace galapagos
