// Jobs as kernels: every kind of job runs by the same two functions.
#pragma once

#include <cuda_runtime_api.h>

#include "comm/cuda/errors.hpp"
#include "comm/cuda/stream.hpp"
#include "model/cuda/block.hpp"
#include "model/cuda/tile_products.hpp"

namespace galapagos::cuda {

/// The Block of block.hpp on a GPU: `each` runs one thread's share.
class DeviceBlock {
  public:
    template <typename Value>
    class Own {
      public:
        GALAPAGOS_HOST_DEVICE Value& operator[](int) { return value_; }

      private:
        Value value_;
    };

    GALAPAGOS_HOST_DEVICE std::int64_t index() const {
#if defined(__CUDA_ARCH__)
        return blockIdx.x;
#else
        return 0;
#endif
    }

    GALAPAGOS_HOST_DEVICE float* shared() const {
#if defined(__CUDA_ARCH__)
        extern __shared__ float4 memory[];
        return reinterpret_cast<float*>(memory);
#else
        return nullptr;
#endif
    }

    template <typename Phase>
    GALAPAGOS_HOST_DEVICE void each(Phase&& phase) const {
#if defined(__CUDA_ARCH__)
        phase(static_cast<int>(threadIdx.x));
        __syncthreads();
#endif
    }

    template <typename Phase>
    GALAPAGOS_HOST_DEVICE void alone(Phase&& phase) const {
#if defined(__CUDA_ARCH__)
        phase(static_cast<int>(threadIdx.x));
#endif
    }

    template <typename Pair, typename Combine>
    GALAPAGOS_HOST_DEVICE void across_quads(Own<Pair>& own, Combine&& combine) const {
#if defined(__CUDA_ARCH__)
        for (float& value : own[0].of)
            for (int distance = 1; distance < quad_threads; distance *= 2)
                value = combine(value, __shfl_xor_sync(0xFFFFFFFFu, value, distance));
#endif
    }

    template <typename Operands>
    GALAPAGOS_HOST_DEVICE void multiply_tiles(Operands&& of) const {
#if defined(__CUDA_ARCH__)
        const TileOperands tiles = of(static_cast<int>(threadIdx.x));
        float(&sums)[4] = tiles.sums.of;
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
            : "r"(tiles.a.words[0]), "r"(tiles.a.words[1]), "r"(tiles.a.words[2]),
              "r"(tiles.a.words[3]), "r"(tiles.b.words[0]), "r"(tiles.b.words[1]));
#endif
    }
};

template <typename Job>
__global__ void __launch_bounds__(Job::threads) run_job(const Job job) {
    run_block(job, DeviceBlock());
}

/// Queues a job; nothing waits, nothing is allocated.
template <typename Job>
void launch(const Job& job, const Stream& stream) {
    const std::int64_t blocks = job.blocks();
    if (blocks == 0) return;
    const std::size_t shared = static_cast<std::size_t>(job.shared_floats()) * sizeof(float);
    run_job<Job><<<static_cast<unsigned>(blocks), Job::threads, shared, stream.handle()>>>(job);
    check(cudaGetLastError(), "can't start a kernel of the forward pass");
}

}  // namespace galapagos::cuda
