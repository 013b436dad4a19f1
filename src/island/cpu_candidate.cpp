#include "island/cpu_candidate.hpp"

#include <utility>

namespace galapagos {

CpuCandidate::CpuCandidate(std::vector<std::shared_ptr<const Source>> sources,
                           const Source& layout_source, Architecture architecture,
                           const LayerRoute& route, const Communicator& group, std::uint64_t seed,
                           DecoderOptions options)
    : CandidateModel(std::move(sources), layout_source, std::move(architecture), route, group,
                     options.dtype),
      merger_(sources_, sharding_, seed, &group_),
      decoder_(architecture_, sharding_, arena_, group_, options, first_route_) {}

std::unique_ptr<CandidateModel> make_cpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, const MergeForms&) {
    return std::make_unique<CpuCandidate>(std::move(sources), layout_source,
                                          std::move(architecture), route, group, seed, options);
}

}  // namespace galapagos
