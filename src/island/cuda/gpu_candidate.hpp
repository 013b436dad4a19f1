// Candidates on a real GPU.
#pragma once

#include "island/cuda/device_candidate.hpp"

namespace galapagos::cuda {

/// The current GPU, whose work for a candidate goes through one stream.
template <typename T>
MakeMachine<T> gpu_machine();

/// A DeviceCandidate there, of the options' element type.
std::unique_ptr<CandidateModel> make_gpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, std::span<const MergePlan> forms);

}  // namespace galapagos::cuda
