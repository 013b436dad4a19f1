#include "island/cuda/candidate_needs.hpp"

#include "merge/cuda/merge_memory.hpp"
#include "merge/cuda/source_stream.hpp"
#include "model/cuda/pass_bytes.hpp"

namespace galapagos::cuda {

ResidencyNeeds candidate_needs(const std::vector<std::shared_ptr<const Source>>& sources,
                               const OwnTensors& own, const Architecture& architecture,
                               const Sharding& sharding, const Arena& layout,
                               const LayerRoute& route, const DecoderOptions& options,
                               std::span<const MergePlan> forms) {
    const auto decoder =
        options.dtype == DType::f32 ? device_pass_bytes<float> : device_pass_bytes<Bf16>;
    const MergeBytes merging = merge_bytes(forms, sharding);
    ResidencyNeeds needs;
    needs.sources = resident_bytes(sources, own, sharding);
    needs.candidate = layout.bytes();
    needs.decoder = decoder(architecture, sharding, layout, options, route);
    needs.statistics = merging.scratch + merging.ranks;
    needs.tables = merging.tables + merging.factors;
    needs.kept = merging.ranks;
    needs.window = least_window(forms, sources, own, sharding);
    return needs;
}

}  // namespace galapagos::cuda
