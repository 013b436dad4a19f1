#include "island/cuda/gpu_candidate.hpp"

#include <algorithm>
#include <utility>

#include "base/host.hpp"
#include "comm/cuda/bounce_buffers.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/cuda/memory.hpp"
#include "merge/cuda/merge_kernel.hpp"
#include "merge/cuda/statistic_kernel.hpp"
#include "model/cuda/cuda_work.hpp"

namespace galapagos::cuda {

namespace {

template <typename T>
class GpuMachine final : public CandidateMachine<T> {
  public:
    GpuMachine(TensorGroup& group, const MachineShare& share)
        : share_(share), work_(stream_, group) {}

    FreeMemory free_memory() const override {
        FreeMemory free;
        std::size_t total = 0;
        check(cudaMemGetInfo(&free.device, &total), "can't tell how much GPU memory is free");
        // Others may not have taken theirs yet.
        free.device = std::min(free.device, total / static_cast<std::size_t>(share_.ranks_on_gpu));
        const auto ranks = static_cast<std::size_t>(share_.ranks_on_node);
        free.host = std::min(available_memory() / ranks,
                             pinnable_bytes(memory_limit(), share_.ranks_on_node));
        return free;
    }
    std::shared_ptr<std::byte[]> allocate(const std::string& what, std::size_t bytes) override {
        MemoryPlan plan;
        plan.add(what, bytes);
        const auto memory = std::make_shared<DeviceArena>(plan);
        return {memory, memory->at(0)};
    }

    std::shared_ptr<std::byte[]> allocate_pinned(std::size_t bytes) override {
        const auto memory = std::make_shared<PinnedBuffer>(bytes);
        return {memory, memory->data()};
    }

    ResidentTensors& tensors() override { return tensors_; }
    StatisticDevice& statistics() override { return statistics_; }
    void launch(const MergeLaunch& launch) override { launch_merge(launch, statistics_.stream()); }
    StreamIn stream_in(std::size_t most_bytes) override {
        const auto buffers =
            std::make_shared<BounceBuffers>(std::min(most_bytes, BounceBuffers::usual_bytes));
        return [this, buffers](std::size_t bytes, const FillPiece& fill, std::byte* to) {
            buffers->copy_in(statistics_.stream(), bytes, fill, to);
        };
    }

    DeviceWork<T>& work() override { return work_; }
    void copy(const std::byte* from, std::size_t bytes, std::byte* to) override {
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_.handle()),
              "can't copy on the GPU");
    }

    void merging_waits_for_work() override {
        worked_.record(stream_);
        statistics_.stream().wait_for(worked_);
    }
    void work_waits_for_merging() override {
        merged_.record(statistics_.stream());
        stream_.wait_for(merged_);
    }

  private:
    MachineShare share_;
    ResidentTensors tensors_;
    GpuStatistics statistics_{tensors_};
    Stream stream_{Stream::Priority::middle};
    Event merged_, worked_;
    CudaWork<T> work_;
};

}  // namespace

template <typename T>
MakeMachine<T> gpu_machine(const MachineShare& share) {
    return [share](TensorGroup& group) { return std::make_unique<GpuMachine<T>>(group, share); };
}

template MakeMachine<float> gpu_machine<float>(const MachineShare&);
template MakeMachine<Bf16> gpu_machine<Bf16>(const MachineShare&);

std::unique_ptr<CandidateModel> make_gpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, const MergeForms& forms,
    const MachineShare& share) {
    const auto make = [&]<typename T>(MakeMachine<T> machine) -> std::unique_ptr<CandidateModel> {
        return std::make_unique<DeviceCandidate<T>>(std::move(sources), layout_source,
                                                    std::move(architecture), route, group, seed,
                                                    options, forms, machine);
    };
    return options.dtype == DType::f32 ? make(gpu_machine<float>(share))
                                       : make(gpu_machine<Bf16>(share));
}

}  // namespace galapagos::cuda
