#include "island/cuda/gpu_candidate.hpp"

#include <unistd.h>

#include <utility>

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
    explicit GpuMachine(TensorGroup& group) : work_(statistics_.stream(), group) {}

    FreeMemory free_memory() const override {
        FreeMemory free;
        std::size_t total = 0;
        check(cudaMemGetInfo(&free.device, &total), "can't tell how much GPU memory is free");
        free.host = static_cast<std::size_t>(sysconf(_SC_AVPHYS_PAGES)) *
                    static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        return free;
    }
    std::shared_ptr<std::byte[]> allocate(const std::string& what, std::size_t bytes) override {
        MemoryPlan plan;
        plan.add(what, bytes);
        const auto memory = std::make_shared<DeviceArena>(plan);
        return {memory, memory->at(0)};
    }

    ResidentTensors& tensors() override { return tensors_; }
    StatisticDevice& statistics() override { return statistics_; }
    void launch(const MergeLaunch& launch) override { launch_merge(launch, statistics_.stream()); }
    DeviceWork<T>& work() override { return work_; }

  private:
    ResidentTensors tensors_;
    GpuStatistics statistics_{tensors_};
    CudaWork<T> work_;
};

}  // namespace

template <typename T>
MakeMachine<T> gpu_machine() {
    return [](TensorGroup& group) { return std::make_unique<GpuMachine<T>>(group); };
}

template MakeMachine<float> gpu_machine<float>();
template MakeMachine<Bf16> gpu_machine<Bf16>();

std::unique_ptr<CandidateModel> make_gpu_candidate(
    std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
    Architecture architecture, const LayerRoute& route, const Communicator& group,
    std::uint64_t seed, const DecoderOptions& options, std::span<const MergePlan> forms) {
    const auto make = [&]<typename T>(MakeMachine<T> machine) -> std::unique_ptr<CandidateModel> {
        return std::make_unique<DeviceCandidate<T>>(std::move(sources), layout_source,
                                                    std::move(architecture), route, group, seed,
                                                    options, forms, machine);
    };
    return options.dtype == DType::f32 ? make(gpu_machine<float>()) : make(gpu_machine<Bf16>());
}

}  // namespace galapagos::cuda
