// A candidate merged and run in a device's memory.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "island/candidate_model.hpp"
#include "island/cuda/candidate_machine.hpp"
#include "merge/cuda/device_merger.hpp"

namespace galapagos::cuda {

/// The CpuCandidate's counterpart, with the same bits after a merge. All that it will ever take of
/// the device's memory is planned and taken at the start.
template <typename T>
class DeviceCandidate final : public CandidateModel {
  public:
    /// As a CpuCandidate; weights and activations are of type T, whatever the options say. `forms`
    /// are plans like those that will be merged (see merge_bytes). Throws Error where the candidate
    /// doesn't fit in the device's memory, or the sources fit neither there nor in the host's.
    DeviceCandidate(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                    Architecture architecture, const LayerRoute& route, const Communicator& group,
                    std::uint64_t seed, DecoderOptions options, std::span<const MergePlan> forms,
                    const MakeMachine<T>& make_machine);

    void merge(const MergePlan& plan) override { merger_->merge(plan, arena_, weights_.get()); }
    Decoder& decoder() override { return *decoder_; }

    /// Where the sources lie, and why.
    const ResidencyChoice& residency() const { return residency_; }
    /// The arena's counterpart on the device.
    const std::byte* weights() const { return weights_.get(); }
    const Arena& layout() const { return arena_; }

  private:
    void take_memory(std::uint64_t seed, const DecoderOptions& options,
                     std::span<const MergePlan> forms);
    void load_sources(std::size_t bytes);

    std::unique_ptr<CandidateMachine<T>> machine_;
    ResidencyChoice residency_;
    std::shared_ptr<std::byte[]> weights_, merging_, resident_;
    std::optional<DeviceMerger> merger_;
    std::optional<Decoder> decoder_;
};

}  // namespace galapagos::cuda
