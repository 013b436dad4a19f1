// The kernels of statistics on a real GPU against the CPU's passes, bit for bit.
#include "merge/cuda/statistic_kernel.hpp"

#include <gmock/gmock.h>

#include "gpu/gpu_test.hpp"
#include "merge/device_statistic_cases.hpp"

namespace galapagos {
namespace {

using namespace test;

using StatisticKernel = GpuTest;

TEST_F(StatisticKernel, GivesTheNumbersOfTheCpuForTaskVectors) {
    cuda::ResidentTensors tensors;
    cuda::GpuStatistics gpu(tensors);
    TestedPasses tested(gpu, tensors);
    for (std::uint64_t index = 0; index < 16; ++index)
        for (const std::int64_t count : {1, 7, 1000, 70'001, 3'000'017}) {
            SCOPED_TRACE(testing::Message() << "case " << index << ", " << count << " elements");
            DeviceJobCase made;
            compare_delta(drawn_pair(index, count, made, tested), {1, 60, 1000, 5003, 70'000},
                          tested);
            if (HasFatalFailure()) return;
        }
}

}  // namespace
}  // namespace galapagos
