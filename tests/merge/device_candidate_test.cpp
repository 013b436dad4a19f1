// Whole candidates of every method, one after the other, through the GPU's kernels of statistics
// and merging, by their host's twins: the bytes are those of the CPU's merger.
#include <gtest/gtest.h>

#include <algorithm>

#include "merge/cuda/device_merger.hpp"
#include "merge/cuda/resident_sources.hpp"
#include "merge/device_twin.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace test;

constexpr std::uint64_t seed = 5;

/// Sources, merger and candidate of one rank in what stands for a GPU's memory.
class Device {
  public:
    Device(const Sources& sources, const Sharding& sharding)
        : source_memory_(twin_.allocate(resident_bytes(sources, sharding))),
          merger_(sources, sharding, seed, nullptr, twin_, [&](const MergeLaunch& launch) {
              run_on_host(launch);
              ++merge_launches;
          }) {
        make_resident(
            sources, sharding,
            [&](const void* from, std::size_t bytes, std::byte* to) {
                twin_.copy_in(from, bytes, to);
            },
            source_memory_.get(), tensors_);
    }

    /// The memory of a candidate laid out like the arena, filled with `rest` where there is none of
    /// its tensors.
    std::vector<std::byte> merged(const MergePlan& plan, Arena& layout, std::byte rest) {
        const auto memory = twin_.allocate(layout.bytes());
        std::fill_n(memory.get(), layout.bytes(), rest);
        merger_.merge(plan, layout, memory.get());
        return {memory.get(), memory.get() + layout.bytes()};
    }

    int merge_launches = 0;

  private:
    ResidentTensors tensors_;
    StatisticTwin twin_{&tensors_};
    std::shared_ptr<std::byte[]> source_memory_;
    DeviceMerger merger_;
};

Arena arena_for(const MergePlan& plan, const Sharding& sharding) {
    std::vector<TensorSpec> specs;
    for (const TensorMerge& tensor : plan.tensors)
        specs.push_back({tensor.output_name, DType::bf16,
                         sharding.local_shape(tensor.output_name, tensor.shape)});
    return Arena(specs);
}

/// The arena's tensors with `rest` between them.
std::vector<std::byte> bytes_of(const Arena& arena, std::byte rest) {
    std::vector<std::byte> bytes(arena.bytes(), rest);
    for (const TensorSpec& spec : arena.specs()) {
        const TensorView tensor = arena.view(spec.name);
        std::copy_n(tensor.data, tensor.bytes(),
                    &bytes[static_cast<std::size_t>(tensor.data - arena.span().data())]);
    }
    return bytes;
}

TEST(DeviceCandidate, HasTheBytesOfTheCpuAtEveryTensorParallelWidth) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    for (const int width : {1, 2, 6})
        for (int rank = 0; rank < width; ++rank) {
            const Sharding sharding(sources[0]->config(), width, rank);
            Device device(sources, sharding);
            Merger merger(sources, sharding, seed);
            for (const std::string& yaml : recipes_of_all_methods()) {
                const MergePlan plan = plan_of(yaml, sources);
                Arena expected = arena_for(plan, sharding), layout = arena_for(plan, sharding);
                merger.merge(plan, expected);
                const std::byte rest{0xA5};
                ASSERT_EQ(device.merged(plan, layout, rest), bytes_of(expected, rest))
                    << yaml << "at " << rank << "/" << width;
                EXPECT_TRUE(std::all_of(layout.span().begin(), layout.span().end(),
                                        [](std::byte b) { return b == std::byte{0}; }));
            }
        }
}

TEST(DeviceCandidate, TensorsOfOneMethodShareALaunch) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    Device device(sources, Sharding());
    const MergePlan plan = plan_of(recipes_of_all_methods()[3], sources);
    Arena layout = arena_for(plan, Sharding());
    device.merged(plan, layout, {});
    EXPECT_EQ(device.merge_launches, 1);
}

}  // namespace
}  // namespace galapagos
