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
#include "merge/cuda/device_passes.hpp"
#include "merge/cuda/merge_launch.hpp"
#include "merge/cuda/source_stream.hpp"

namespace galapagos::cuda {

/// Queues a launch behind what the StatisticDevice was asked for.
using LaunchMerge = std::function<void(const MergeLaunch&)>;

/// Gives the bits that the Merger gives. The parts of the sources are resident on the device, which
/// must outlive it, or come through a window in its memory. Whole tensors that are resident have
/// their statistics taken by the device; of others, the parts of several ranks and what only comes
/// by, the CPU takes them, as for the Merger, and what they say of each row, column or element is
/// put into the device's memory.
class DeviceMerger {
  public:
    /// Parameters as the Merger's. `memory` is the device's, and must do for all plans to come (see
    /// merge_bytes); nothing else is allocated there. Without a stream the sources are resident.
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
    std::optional<DevicePasses> passes_;  ///< of whole resident tensors
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
