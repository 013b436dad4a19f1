// Candidates on a real GPU.
#pragma once

#include "island/cuda/device_candidate.hpp"

namespace galapagos::cuda {

/// How many ranks there are beside each other.
struct MachineShare {
    int ranks_on_gpu = 1;
    int ranks_on_node = 1;
};

/// The current GPU, with a stream for merging and one for the decoder, which goes before it, and
/// behind what ranks exchange.
template <typename T>
MakeMachine<T> gpu_machine(const MachineShare& share = {});

/// A DeviceCandidate there, of the options' element type.
std::unique_ptr<CandidateModel> make_gpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, const MergeForms& forms,
    const MachineShare& share = {});

}  // namespace galapagos::cuda
