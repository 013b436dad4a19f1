// A rank's merger and its sources in what stands for a GPU's memory, by the twins of the kernels.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "merge/cuda/device_merger.hpp"
#include "merge/cuda/resident_sources.hpp"
#include "merge/device_twin.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos::test {

inline constexpr std::uint64_t device_seed = 5;

/// Remembers what it was asked for, and does first what a test says.
class WatchedTwin final : public StatisticTwin {
  public:
    using StatisticTwin::StatisticTwin;

    void launch(const StatisticLaunch& launch) override {
        ++launches[launch.pass];
        if (before_launch) before_launch();
        StatisticTwin::launch(launch);
    }

    std::map<StatisticPass, int> launches;
    std::function<void()> before_launch;
};

/// Where a rank's merger and its sources are.
struct DeviceSetting {
    Residency residency = Residency::device;
    std::size_t window = 0;        ///< of streamed sources; 0: as large as the forms need
    TensorGroup* group = nullptr;  ///< the ranks that merge together
    /// Sources of other values and the same shapes: these are in the device's memory, and what the
    /// host reads of their files is not.
    const Sources* on_device = nullptr;
};

class Device {
  public:
    Device(const Sources& sources, const Sharding& sharding, const std::vector<MergePlan>& forms,
           const DeviceSetting& setting = {})
        : planned(merge_bytes(forms, sharding, setting.residency)),
          source_memory_(twin_memory(resident_bytes(sources, own_tensors(sources), sharding))),
          merge_memory_(twin_memory(planned.total())),
          merger_(
              sources, sharding, device_seed, setting.group, twin_,
              MergeMemory(planned, merge_memory_.get()),
              [&](const MergeLaunch& launch) {
                  run_on_host(launch);
                  ++merge_launches;
              },
              setting.residency == Residency::mapped_files
                  ? std::optional(stream(
                        sources, setting.window > 0 ? setting.window
                                                    : least_window(forms, sources,
                                                                   own_tensors(sources), sharding)))
                  : std::nullopt) {
        if (setting.residency == Residency::mapped_files) return;
        load(sources, sharding, tensors_);
        ResidentTensors others;
        if (setting.on_device != nullptr) load(*setting.on_device, sharding, others);
    }

    /// The memory of a candidate laid out like the arena, filled with `rest` where there is none of
    /// its tensors.
    std::vector<std::byte> merged(const MergePlan& plan, Arena& layout, std::byte rest) {
        const auto memory = twin_memory(layout.bytes());
        std::fill_n(memory.get(), layout.bytes(), rest);
        merger_.merge(plan, layout, memory.get());
        return {memory.get(), memory.get() + layout.bytes()};
    }

    /// What was needed so far of what was planned.
    MergeBytes used() const {
        const MergeMemory& memory = merger_.memory();
        return {memory.tables.used(), memory.factors.used(), memory.scratch.used(),
                memory.ranks.used()};
    }

    WatchedTwin& twin() { return twin_; }

    int merge_launches = 0;
    std::vector<std::size_t> streamed;  ///< bytes of each batch
    const MergeBytes planned;

  private:
    void load(const Sources& sources, const Sharding& sharding, ResidentTensors& tensors) {
        make_resident(
            sources, sharding,
            [&](const void* from, std::size_t bytes, std::byte* to) {
                twin_.copy_in(from, bytes, to);
            },
            source_memory_.get(), tensors);
    }
    SourceStream stream(const Sources& sources, std::size_t bytes) {
        window_ = twin_memory(bytes);
        return {sources, window_.get(), bytes,
                [this, copy = twin_stream_in()](std::size_t size, const FillPiece& fill,
                                                std::byte* to) {
                    streamed.push_back(size);
                    copy(size, fill, to);
                }};
    }

    ResidentTensors tensors_;
    WatchedTwin twin_{&tensors_};
    std::shared_ptr<std::byte[]> source_memory_, merge_memory_, window_;
    DeviceMerger merger_;
};

inline Arena arena_for(const MergePlan& plan, const Sharding& sharding) {
    std::vector<TensorSpec> specs;
    for (const TensorMerge& tensor : plan.tensors)
        specs.push_back({tensor.output_name, DType::bf16,
                         sharding.local_shape(tensor.output_name, tensor.shape)});
    return Arena(specs);
}

/// The arena's tensors with `rest` between them.
inline std::vector<std::byte> bytes_of(const Arena& arena, std::byte rest) {
    std::vector<std::byte> bytes(arena.bytes(), rest);
    for (const TensorSpec& spec : arena.specs()) {
        const TensorView tensor = arena.view(spec.name);
        std::copy_n(tensor.data, tensor.bytes(),
                    &bytes[static_cast<std::size_t>(tensor.data - arena.span().data())]);
    }
    return bytes;
}

}  // namespace galapagos::test
