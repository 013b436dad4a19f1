#include <utility>

#include "app/gpu_candidates.hpp"
#include "island/cuda/gpu_candidate.hpp"

namespace galapagos {

CandidateFactory gpu_candidates(int ranks_on_gpu, int ranks_on_node) {
    const cuda::MachineShare share{ranks_on_gpu, ranks_on_node};
    return [share](auto sources, const Source& layout_source, Architecture architecture,
                   const LayerRoute& route, const Communicator& group, std::uint64_t seed,
                   const DecoderOptions& options, const MergeForms& forms) {
        return cuda::make_gpu_candidate(std::move(sources), layout_source, std::move(architecture),
                                        route, group, seed, options, forms, share);
    };
}

}  // namespace galapagos
