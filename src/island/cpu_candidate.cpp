#include "island/cpu_candidate.hpp"

#include <utility>

namespace galapagos {

CpuCandidate::CpuCandidate(std::vector<std::shared_ptr<const Source>> sources,
                           const Source& layout_source, const Communicator& group,
                           std::uint64_t seed, DecoderOptions options)
    : CpuCandidate(sources, layout_source,
                   candidate_architecture(layout_source.config(), layout_source, sources), {},
                   group, seed, options) {}

CpuCandidate::CpuCandidate(std::vector<std::shared_ptr<const Source>> sources,
                           const Source& layout_source, Architecture architecture,
                           const LayerRoute& route, const Communicator& group, std::uint64_t seed,
                           DecoderOptions options)
    : CandidateModel(std::move(sources), layout_source, std::move(architecture), route, group,
                     options.dtype),
      merger_(sources_, sharding_, seed, &group_),
      decoder_(architecture_, sharding_, arena_, group_, options, first_route_) {}

}  // namespace galapagos
