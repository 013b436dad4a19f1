#include "forecast/gpu_memory.hpp"

#include "base/error.hpp"
#include "island/cuda/candidate_needs.hpp"

namespace galapagos {

GpuForecast forecast_gpu(const std::vector<std::shared_ptr<const Source>>& sources,
                         const cuda::OwnTensors& own, const Architecture& architecture,
                         const LayerRoute& route, int width, const DecoderOptions& options,
                         const MergeForms& forms, const FreeMemory& free) {
    const Sharding sharding(sources.front()->config(), width, 0);
    const Arena layout(arena_specs(architecture, sharding, options.dtype), ArenaUse::layout);
    GpuForecast forecast;
    forecast.needs = cuda::candidate_needs(sources, own, architecture, sharding, layout, route,
                                           options, forms.plans);
    forecast.needs.merged_once = forms.once;
    try {
        const ResidencyChoice choice = choose_residency(forecast.needs, free);
        forecast.residency = choice.residency;
        forecast.overlaps = choice.overlaps;
        forecast.window = choice.window;
        forecast.why = choice.why;
    } catch (const Error& error) {
        forecast.fits = false;
        forecast.why = error.what();
    }
    return forecast;
}

}  // namespace galapagos
