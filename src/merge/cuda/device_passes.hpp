// The passes of statistics on a GPU: tables of launches, and what their results say.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "merge/cuda/pass_launches.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::cuda {

/// The numbers that the CPU's passes give, bit for bit. Tensors are whole, and all of them resident
/// on the device; ranks stay there. Not for several threads at a time.
class DevicePasses : public StatisticPasses {
  public:
    /// Device and memory must outlive them. Scratch, factors and ranks are theirs while they work.
    DevicePasses(StatisticDevice& device, MergeMemory& memory) : launches_(device, memory) {}

    std::uint32_t largest_magnitude(const DeltaPair& pair) override;
    std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                      const KeyRange& range) override;
    void cut_steps(std::span<CutRequest* const> requests) override;
    std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                            const MaskStream& stream) override;
    Ranks magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) override;
    void thin(std::span<RankThinning> thinnings) override;

    PairProducts pair_products(const StoredTensor& a, const StoredTensor& b,
                               std::int64_t count) override;
    std::vector<double> products(const TensorJob& job, bool deltas) override;
    std::vector<double> line_products(const TensorJob& job, bool deltas, bool columns) override;
    std::vector<float> row_divergences(const TensorJob& job) override;
    std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                              const std::vector<float>& divergences,
                                              const std::vector<std::int64_t>& places) override;
    std::int64_t count_varied(const TensorJob& job) override;
    KeyCut cut_variance(const TensorJob& job, std::int64_t k) override;
    std::vector<double> mean_squares(const TensorJob& job) override;
    InputChanges count_changes(const TensorJob& job) override;

  private:
    void count_ties(std::span<CutRequest* const> requests);
    void find_ties(std::span<CutRequest* const> requests);
    void select_keys(std::span<CutRequest* const> requests);

    StatisticJob entry(const DeltaPair& pair) const;
    StatisticJob entry(const TensorJob& job, bool with_base) const;
    template <typename Result, typename Set>
    std::vector<Result> results_of(StatisticPass pass, const StatisticJob& job, std::size_t count,
                                   const Set& set) {
        return launches_.results_of<Result>(pass, {job}, count, set);
    }
    std::vector<double> run_products(StatisticJob job, std::int64_t length);
    std::vector<KeyBucket> counts_of(StatisticPass pass, StatisticJob job, const KeyRange& range);
    /// The key at a place of the descending order, from 0; `place` becomes the place among those
    /// that equal it.
    std::uint32_t key_at(StatisticPass pass, const StatisticJob& job, std::int64_t& place);
    std::vector<std::uint32_t> variance_matches(StatisticJob job, std::uint32_t low,
                                                std::uint32_t high);

    PassLaunches launches_;
};

}  // namespace galapagos::cuda
