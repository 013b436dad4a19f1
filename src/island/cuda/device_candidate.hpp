// A candidate merged and run in a device's memory.
#pragma once

#include <memory>
#include <optional>

#include "island/candidate_model.hpp"
#include "island/cuda/candidate_machine.hpp"
#include "merge/cuda/device_merger.hpp"

namespace galapagos::cuda {

/// The CpuCandidate's counterpart, with the same bits after a merge. All that it will ever take of
/// the device's memory is planned and taken at the start; the ranks of a group choose alike.
template <typename T>
class DeviceCandidate final : public CandidateModel {
  public:
    /// As a CpuCandidate; weights and activations are of type T, whatever the options say. Throws
    /// Error where the candidate doesn't fit in the device's memory even with sources in their
    /// files.
    DeviceCandidate(std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                    Architecture architecture, const LayerRoute& route, const Communicator& group,
                    std::uint64_t seed, DecoderOptions options, const MergeForms& forms,
                    const MakeMachine<T>& make_machine);

    void merge(const MergePlan& plan) override;
    void prepare(const MergePlan& next) override;
    bool prepares() const override { return spare_ != nullptr; }
    Decoder& decoder() override { return *decoder_; }

    std::string about_sources() const override { return residency_.why; }

    /// Where the sources lie, and why.
    const ResidencyChoice& residency() const { return residency_; }
    /// The arena's counterpart on the device.
    const std::byte* weights() const { return weights_.get(); }
    const Arena& layout() const { return arena_; }

  private:
    void choose_residency(const DecoderOptions& options, const MergeForms& forms);
    void take_memory(std::uint64_t seed, const MergeForms& forms);
    void make_decoder(const DecoderOptions& options);
    void load_sources();
    std::optional<SourceStream> source_stream();
    void merge_into_spare(const MergePlan& plan, bool beside_work);

    std::unique_ptr<CandidateMachine<T>> machine_;
    ResidencyNeeds needs_;
    ResidencyChoice residency_;
    std::shared_ptr<std::byte[]> weights_, merging_, resident_, window_;
    /// Where merges overlap evaluations: what every candidate is merged into, before it is copied
    /// over the weights, whose addresses never change.
    std::shared_ptr<std::byte[]> spare_;
    std::optional<MergePlan> in_spare_;
    bool beside_work_ = false;  ///< the merge that is being queued
    std::optional<DeviceMerger> merger_;
    std::optional<Decoder> decoder_;
};

}  // namespace galapagos::cuda
