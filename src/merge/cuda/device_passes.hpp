// The passes of statistics on a GPU: tables of launches, and what their results say.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "merge/cuda/statistic_device.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::cuda {

/// The numbers that the CPU's passes give, bit for bit. Tensors are whole, and all of them resident
/// on the device; ranks stay there. Not for several threads at a time.
class DevicePasses : public StatisticPasses {
  public:
    /// The device must outlive them, and the ranks that they give.
    explicit DevicePasses(StatisticDevice& device) : device_(&device) {}

    std::uint32_t largest_magnitude(const DeltaPair& pair) override;
    std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                      const KeyRange& range) override;
    void cut_steps(std::span<CutRequest* const> requests) override;
    std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                            const MaskStream& stream) override;
    Ranks magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) override;
    void thin(std::span<RankThinning> thinnings) override;

  private:
    void count_ties(std::span<CutRequest* const> requests);
    void find_ties(std::span<CutRequest* const> requests);
    void select_keys(std::span<CutRequest* const> requests);

    StatisticJob entry(const DeltaPair& pair) const;
    /// Memory for `entries` entries and `bytes` of results, these zero. What it held is lost.
    std::byte* start(std::size_t entries, std::size_t bytes);
    /// Queues a launch over entries whose results are in that memory.
    void launch(StatisticPass pass, std::vector<StatisticJob>& jobs, int most_blocks = 0);

    StatisticDevice* device_;
    std::shared_ptr<std::byte[]> memory_;
    std::size_t bytes_ = 0;
};

}  // namespace galapagos::cuda
