// What depends on the sources alone, computed at first use and kept.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "merge/delta_ladder.hpp"
#include "merge/mask_table.hpp"
#include "merge/sce.hpp"
#include "merge/slerp.hpp"
#include "merge/statistic_passes.hpp"

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
    /// The passes must outlive it.
    explicit SourceStatistics(StatisticPasses& passes = cpu_passes()) : passes_(&passes) {}

    const PairStatistics& pair(const StoredTensor& a, const StoredTensor& b, std::int64_t count);
    /// A ladder grows finer with every cut.
    DeltaLadder& ladder(const DeltaPair& pair);
    const DeltaStatistics& with_masks(const DeltaPair& pair, const MaskStream& stream);
    const DeltaStatistics& plain(const DeltaPair& pair) { return delta(pair); }
    /// Ranks of magnitudes in rows of `row_length`.
    const std::uint16_t* ranks(const DeltaPair& pair, std::int64_t row_length);
    /// Scalar products of a job's models or task vectors: of the whole, of rows, or of columns.
    enum class Products { whole, rows, columns };
    const std::vector<double>& products(const TensorJob& job, bool deltas, Products of);
    /// Arcee Fusion's divergences of the rows, and its threshold.
    struct Fusion {
        std::vector<float> divergences;
        std::optional<float> threshold;  ///< once asked for
    };
    const Fusion& fusion(const TensorJob& job, bool with_threshold);
    /// SCE's settings for the select_topk asked for last.
    const SceSettings& sce(const TensorJob& job);

    /// Who reads the sources.
    StatisticPasses& passes() const noexcept { return *passes_; }

    std::size_t bytes() const;
    /// What was counted is counted anew when it is next asked for.
    void forget_counts();
    void clear();

  private:
    using Key = std::tuple<const std::byte*, const std::byte*>;
    DeltaStatistics& delta(const DeltaPair& pair);

    StatisticPasses* passes_;
    std::map<Key, PairStatistics> pairs_;
    std::map<Key, DeltaStatistics> deltas_;
    struct Ranked {
        Ranks ranks;
        std::int64_t count = 0;
    };
    std::map<Key, Ranked> ranks_;
    /// The base (if it counts), the inputs, and one of `Products`.
    using GroupKey = std::vector<std::uintptr_t>;
    std::map<GroupKey, std::vector<double>> products_;
    std::map<Key, Fusion> fusions_;
    std::map<GroupKey, std::pair<double, SceSettings>> sce_;
};

}  // namespace galapagos
