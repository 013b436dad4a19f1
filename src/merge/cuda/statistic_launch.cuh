// Starting a kernel of statistics.
#pragma once

#include <algorithm>

#include "comm/cuda/errors.hpp"
#include "comm/cuda/stream.hpp"
#include "merge/cuda/statistic_blocks.hpp"

namespace galapagos::cuda {
namespace {

/// The block of the thread that asks; see block.hpp. The host's compiler sees its members too.
class GpuBlock {
  public:
    static constexpr int threads = most_block_threads;

    GALAPAGOS_HOST_DEVICE std::int64_t number() const {
#if defined(__CUDA_ARCH__)
        return blockIdx.x;
#else
        return 0;
#endif
    }
    GALAPAGOS_HOST_DEVICE std::int64_t blocks() const {
#if defined(__CUDA_ARCH__)
        return gridDim.x;
#else
        return 1;
#endif
    }
    template <typename Step>
    GALAPAGOS_HOST_DEVICE void each(const Step& step) const {
#if defined(__CUDA_ARCH__)
        step(static_cast<int>(threadIdx.x));
        __syncthreads();
#endif
    }
};

template <StatisticPass pass>
__global__ void __launch_bounds__(GpuBlock::threads, 2) take_statistic(StatisticLaunch launch) {
    __shared__ BlockMemory<pass> memory;
    run_block<pass>(GpuBlock(), launch, memory);
}

/// As many blocks as the device runs at once, or fewer where there is less to do.
template <typename Kernel>
int blocks_for(Kernel kernel, const StatisticLaunch& launch) {
    int device = 0, processors = 0, blocks = 0;
    check(cudaGetDevice(&device), "can't tell the current GPU");
    check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
          "can't tell the size of the GPU");
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, GpuBlock::threads, 0),
          "the kernel of a statistic doesn't fit this GPU");
    const int most = launch.most_blocks > 0 ? launch.most_blocks : processors * blocks;
    return static_cast<int>(
        std::min<std::int64_t>(launch.items, std::min(most, processors * blocks)));
}

template <StatisticPass pass>
void launch_pass(const StatisticLaunch& launch, const Stream& stream) {
    const int blocks = blocks_for(take_statistic<pass>, launch);
    take_statistic<pass><<<blocks, GpuBlock::threads, 0, stream.handle()>>>(launch);
    check(cudaGetLastError(), "can't start the kernel of a statistic");
}

}  // namespace
}  // namespace galapagos::cuda
