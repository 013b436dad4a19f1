// The passes of statistics on several GPUs, each of which has its parts of all tensors.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "comm/lockstep.hpp"
#include "merge/cuda/counted_parts.hpp"
#include "merge/cuda/pass_launches.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::cuda {

/// The numbers that the CPU's passes give, bit for bit. What is counted, each rank's device counts
/// over its parts, and the whole numbers are added up over the ranks. What is added up in fp64, in
/// the order of the whole tensor, or looks at whole rows is the CPU's. Collective where
/// StatisticPasses says so. Not for several threads at a time.
class PartPasses : public StatisticPasses {
  public:
    /// Device, memory and group must outlive them. Scratch and ranks are theirs while they work.
    PartPasses(CountedParts parts, TensorGroup& group, StatisticDevice& device, MergeMemory& memory)
        : parts_(std::move(parts)), lockstep_(group), launches_(device, memory) {}

    Lockstep* lockstep() override { return &lockstep_; }

    std::uint32_t largest_magnitude(const DeltaPair& pair) override;
    std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                      const KeyRange& range) override;
    void cut_steps(std::span<CutRequest* const> requests) override;
    std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                            const MaskStream& stream) override;
    /// By the CPU. What comes back are those of this rank's part, in the device's memory.
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
    /// By the CPUs of all ranks, each of which reads some chunks of the tensor.
    std::vector<double> mean_squares(const TensorJob& job) override;
    InputChanges count_changes(const TensorJob& job) override;

  private:
    std::vector<StatisticJob> entries(const TensorJob& job) const;
    std::vector<StatisticJob> entries(const DeltaPair& pair) const { return entries(as_job(pair)); }
    /// Whole numbers that launches over a tensor's entries add to, of all ranks.
    std::vector<std::int64_t> totals_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                        std::size_t count);
    std::vector<KeyBucket> counts_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                     const KeyRange& range);
    /// Of a tensor's keys from `low` to `high`, how many are in each chunk of the whole.
    struct ChunkCount {
        std::vector<StatisticJob> entries;
        std::uint32_t low, high;
        std::size_t chunks;
    };
    /// One tensor's after the other's.
    std::vector<std::int64_t> matches_in(std::span<const ChunkCount> counts, StatisticPass pass);
    void count_ties(std::span<CutRequest* const> requests);

    CountedParts parts_;
    Lockstep lockstep_;
    PassLaunches launches_;
};

}  // namespace galapagos::cuda
