// Merging candidates in a GPU's memory: the Merger's counterpart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "merge/candidate_jobs.hpp"
#include "merge/cuda/merge_launch.hpp"
#include "merge/cuda/merge_memory.hpp"
#include "merge/cuda/source_stream.hpp"
#include "merge/cuda/statistic_device.hpp"

namespace galapagos::cuda {

/// Queues a launch behind what the StatisticDevice was asked for.
using LaunchMerge = std::function<void(const MergeLaunch&)>;

/// Gives the bits that the Merger gives. The parts of the sources are resident on the device, which
/// must outlive it, or come through a window in its memory. Statistics of resident sources are the
/// device's; of those that are cut over a group's ranks, what is counted is, by all devices
/// together. All else, and what only comes by, is the CPU's, as for the Merger, and what that says
/// of each row, column or element is put into the device's memory.
class DeviceMerger {
  public:
    /// Parameters as the Merger's; without a group several ranks' statistics are the CPU's.
    /// `memory` is the device's, and must do for all plans to come (see merge_bytes); nothing else
    /// is allocated there. Without a stream the sources are resident.
    DeviceMerger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
                 std::uint64_t seed, TensorGroup* group, StatisticDevice& device,
                 const MergeMemory& memory, LaunchMerge launch,
                 std::optional<SourceStream> stream = std::nullopt);
    DeviceMerger(const DeviceMerger&) = delete;
    DeviceMerger& operator=(const DeviceMerger&) = delete;

    /// Queues the merge of this rank's part of every tensor of `layout` into `out`, the device's
    /// memory, where tensors lie as in the layout. The layout's own memory is not touched. Waits
    /// for statistics only. Errors as from Merger::merge, and for a plan that the memory doesn't do
    /// for.
    void merge(const MergePlan& plan, Arena& layout, std::byte* out);

    const MergeMemory& memory() const { return memory_; }

  private:
    const float* place_factors();
    DeviceAddresses addresses(const TensorJob& job, const CandidateJobs::Target& target);
    const std::uint16_t* ranks_part(const std::uint16_t* ranks,
                                    const CandidateJobs::Target& target);
    void copy_part(const TensorView& whole, const TensorSlice& slice, std::byte* to);
    void start_batches();
    void end_batch();
    void launch_all();

    StatisticDevice& device_;
    LaunchMerge launch_;
    std::optional<SourceStream> stream_;
    MergeMemory memory_;
    std::unique_ptr<StatisticPasses> passes_;  ///< of resident sources; null: the CPU's
    CandidateJobs candidate_;
    /// Without these passes: this rank's parts of ranks, by where the whole ones lie.
    std::map<const std::uint16_t*, const std::uint16_t*> rank_parts_;

    // Kept from candidate to candidate, with their memory.
    std::array<std::vector<DeviceJob>, arithmetics> entries_;
    std::vector<DeviceJob> table_;
    std::vector<std::vector<MergeLaunch>> batches_;  ///< one, of resident sources
    std::vector<float> factors_;
    std::vector<std::byte> part_;
};

}  // namespace galapagos::cuda
