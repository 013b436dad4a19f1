// Where the sources of a run on GPUs will lie, and whether a candidate fits beside them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "island/merge_forms.hpp"
#include "merge/cuda/resident_sources.hpp"
#include "merge/plan.hpp"
#include "model/decoder.hpp"
#include "weights/residency.hpp"

namespace galapagos {

/// What CUDA's context takes of a GPU's memory before there is anything else. An assumption.
inline constexpr std::size_t context_bytes = std::size_t{512} << 20;

struct GpuForecast {
    ResidencyNeeds needs;
    Residency residency = Residency::device;
    bool overlaps = false;   ///< with a second candidate in the GPU's memory
    std::size_t window = 0;  ///< there, of sources that stay in their files
    std::string why;         ///< the run's own sentence, or its error
    bool fits = true;
};

/// What a run of rank 0 of a tensor-parallel group would find: its parts are the largest. `sources`
/// need not have their adapters applied, if `own` names what these change; nothing of them is read
/// but their headers. `route` and `forms`: see CandidateNetwork.
GpuForecast forecast_gpu(const std::vector<std::shared_ptr<const Source>>& sources,
                         const cuda::OwnTensors& own, const Architecture& architecture,
                         const LayerRoute& route, int width, const DecoderOptions& options,
                         const MergeForms& forms, const FreeMemory& free);

}  // namespace galapagos
