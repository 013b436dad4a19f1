// The kernels of statistics on a real GPU against the CPU's passes, bit for bit.
#include "merge/cuda/statistic_kernel.hpp"

#include <gmock/gmock.h>

#include "comm/cuda/memory.hpp"
#include "gpu/gpu_test.hpp"
#include "merge/device_part_cases.hpp"
#include "merge/device_statistic_cases.hpp"

namespace galapagos {
namespace {

using namespace test;

using StatisticKernel = GpuTest;

std::shared_ptr<std::byte[]> gpu_memory(std::size_t bytes) {
    cuda::MemoryPlan plan;
    plan.add("test", bytes);
    const auto memory = std::make_shared<cuda::DeviceArena>(plan);
    return {memory, memory->at(0)};
}

TEST_F(StatisticKernel, GivesTheNumbersOfTheCpuForTaskVectors) {
    cuda::ResidentTensors tensors;
    cuda::GpuStatistics gpu(tensors);
    TestedPasses tested(gpu, tensors, gpu_memory);
    const std::vector<std::int64_t> counts =
        emulated_ ? std::vector<std::int64_t>{1, 7, 1000, 30'011}
                  : std::vector<std::int64_t>{1, 7, 1000, 70'001, 3'000'017};
    for (std::uint64_t index = 0; index < (emulated_ ? 6 : 16); ++index)
        for (const std::int64_t count : counts) {
            SCOPED_TRACE(testing::Message() << "case " << index << ", " << count << " elements");
            DeviceJobCase made;
            compare_delta(drawn_pair(index, count, made, tested), {1, 60, 1000, 5003, 70'000},
                          tested);
            if (HasFatalFailure()) return;
        }
}

TEST_F(StatisticKernel, GivesTheNumbersOfTheCpuForAllModelsOfAJob) {
    cuda::ResidentTensors tensors;
    cuda::GpuStatistics gpu(tensors);
    TestedPasses tested(gpu, tensors, gpu_memory);
    const std::vector<Shape> shapes =
        emulated_
            ? std::vector<Shape>{{1, 1}, {3, 7}, {40, 1100}, {130, 300}, {1, 30'011}, {2100, 5}}
            : std::vector<Shape>{{1, 1},       {3, 7},      {40, 1100},
                                 {1024, 4096}, {1, 70'001}, {20'000, 50}};
    for (std::uint64_t index = 0; index < (emulated_ ? 12 : 24); ++index) {
        SCOPED_TRACE(testing::Message() << "case " << index);
        DeviceJobCase made;
        draw_models(index, shapes[index % shapes.size()],
                    index == 2 ? cuda::most_inputs : 1 + static_cast<std::int64_t>(index % 4), made,
                    tested);
        compare_job(made.job, tested.passes());
    }
}

/// A rank that has all parts itself: they lie as those of several do.
TEST_F(StatisticKernel, GivesTheNumbersOfTheCpuForTensorsThatAreCut) {
    cuda::ResidentTensors tensors;
    cuda::GpuStatistics gpu(tensors);
    TensorGroup alone;
    const std::vector<Shape> shapes =
        emulated_ ? std::vector<Shape>{{1100}, {3, 7}, {128, 256}, {90, 257}, {2, 100, 130}}
                  : std::vector<Shape>{{1100}, {3, 7}, {1024, 768}, {300, 257}, {2, 700, 130}};
    for (std::uint64_t index = 0; index < (emulated_ ? 15 : 40); ++index) {
        SCOPED_TRACE(testing::Message() << "case " << index);
        CutModels models(index, shapes[index % shapes.size()], 2, alone, gpu, tensors, gpu_memory);
        models.compare_pair();
        models.compare_models();
    }
}

}  // namespace
}  // namespace galapagos
