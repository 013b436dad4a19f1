// What a plan says of GPUs against what a candidate's start finds. Runs under mpirun with 1 and 2
// ranks: the tensor-parallel width.
#include "forecast/gpu_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "island/device_candidate_cases.hpp"
#include "island/twin_machine.hpp"

namespace galapagos {
namespace {

using namespace test;

class GpuMemory : public ::testing::Test {
  protected:
    /// A base with its adapters applied, or as a plan opens it.
    Sources open(bool adapted) const {
        Sources sources = open_named(folder_, {"base", "a"});
        std::optional<std::filesystem::path> adapter;
        if (adapted) adapter = folder_ / "adapter";
        SourceOptions options;
        options.cache_folder = folder_ / "cache";
        sources.push_back(Source::open({"b", folder_ / "base", adapter}, options));
        return sources;
    }
    void SetUp() override {
        tiny_sources(folder_, {"base", "a"}, uneven_options());
        make_tiny_adapter(folder_ / "adapter", uneven_options());
        options_.dtype = DType::bf16;
    }
    Architecture architecture(const Sources& sources) const {
        return candidate_architecture(sources[0]->config(), *sources[0], sources);
    }
    GpuForecast forecast(const FreeMemory& free) const {
        const Sources sources = open(false);
        const cuda::OwnTensors own = cuda::own_tensors(open(true));
        const Architecture network = architecture(sources);
        return forecast_gpu(sources, own, network, LayerRoute::plain(network.layers), group_.size(),
                            options_, plans_of(recipes_of_all_methods(), sources), free);
    }
    /// The sentence, or the error, of a candidate's start.
    std::string started(const FreeMemory& free) {
        const Sources sources = open(true);
        try {
            const cuda::DeviceCandidate<Bf16> candidate(
                sources, *sources[0], architecture(sources), {}, group_, 1, options_,
                plans_of(recipes_of_all_methods(), sources), twin_machine<Bf16>(free, counts_));
            return candidate.residency().why;
        } catch (const Error& error) {
            return error.what();
        }
    }

    Communicator group_ = Communicator::world();
    TemporaryFolder folder_;
    DecoderOptions options_ = tiny_decoder();
    Counts counts_;
};

TEST_F(GpuMemory, IsWhatACandidateTakes) {
    const ResidencyNeeds needs = forecast({std::size_t{80} << 30, 0}).needs;
    started({std::size_t{80} << 30, 0});
    const std::size_t resident = counts_.allocated;
    counts_ = {};
    started({needs.streaming(), 0});
    EXPECT_EQ(forecast({needs.streaming(), 0}).window, needs.window);
    if (group_.rank() > 0) return;  // whose part may be smaller
    EXPECT_EQ(resident, needs.sources + needs.candidate + needs.statistics + needs.tables);
    EXPECT_EQ(counts_.allocated, needs.candidate + needs.kept + needs.tables + needs.window);
    EXPECT_GT(needs.decoder, 0u);
}

TEST_F(GpuMemory, SaysWhatTheStartSays) {
    const ResidencyNeeds needs = forecast({std::size_t{80} << 30, 0}).needs;
    const std::size_t sources = needs.sources, rest = needs.beside_sources();
    const std::size_t streaming = needs.streaming();
    struct Case {
        FreeMemory free;
        bool fits;
        Residency residency;
        bool overlaps = false;
    };
    for (const Case& one :
         {Case{{sources + rest, 0}, true, Residency::device},
          Case{{sources + rest - 1, sources}, true, Residency::pinned_host, true},
          Case{{rest, sources}, true, Residency::pinned_host},
          Case{{streaming, sources - 1}, true, Residency::mapped_files},
          Case{{streaming - 1, sources - 1}, false, {}},
          Case{{rest + needs.candidate, sources}, true, Residency::pinned_host, true},
          Case{{rest + needs.candidate - 1, sources}, true, Residency::pinned_host},
          Case{{std::min(rest, streaming) - 1, sources}, false, {}}}) {
        const GpuForecast found = forecast(one.free);
        EXPECT_EQ(found.fits, one.fits);
        EXPECT_EQ(found.residency, one.residency);
        EXPECT_EQ(found.overlaps, one.overlaps);
        const std::string run = started(one.free);
        EXPECT_TRUE(group_.rank() > 0 || found.why == run) << found.why << "\n" << run;
    }
}

}  // namespace
}  // namespace galapagos
