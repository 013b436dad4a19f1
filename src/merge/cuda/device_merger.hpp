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

namespace galapagos::cuda {

/// Queues a launch behind what the StatisticDevice was asked for.
using LaunchMerge = std::function<void(const MergeLaunch&)>;

/// Gives the bits that the Merger gives. The parts of the sources are resident on the device, which
/// must outlive it. A single rank's are whole tensors, whose statistics the device takes; of
/// several ranks none has a whole tensor, so they take statistics on the CPU, as the Merger does,
/// and put what they find for each row, column or element into the device's memory.
class DeviceMerger {
  public:
    /// Parameters as the Merger's. `memory` is the device's, and must do for all plans to come (see
    /// merge_bytes); nothing else is allocated there.
    DeviceMerger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
                 std::uint64_t seed, TensorGroup* group, StatisticDevice& device,
                 const MergeMemory& memory, LaunchMerge launch);
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
    void launch_all();

    StatisticDevice& device_;
    LaunchMerge launch_;
    MergeMemory memory_;
    std::optional<DevicePasses> passes_;  ///< of whole tensors
    CandidateJobs candidate_;
    /// Of several ranks: their parts of ranks, by where the whole ones lie.
    std::map<const std::uint16_t*, const std::uint16_t*> rank_parts_;

    // Kept from candidate to candidate, with their memory.
    std::array<std::vector<DeviceJob>, arithmetics> entries_;
    std::vector<DeviceJob> table_;
    std::vector<float> factors_;
    std::vector<std::byte> part_;
};

}  // namespace galapagos::cuda
