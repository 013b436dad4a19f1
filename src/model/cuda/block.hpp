// What the threads of a block share, and sums over them.
//
// A kernel's work is a function run_block(job, block) over a block of threads, in phases:
// block.each(phase) calls phase(thread) for every thread, and no thread begins the next phase
// before all have ended this one. On a GPU a thread runs its own share and waits at a barrier; a
// test runs all threads of a phase one after the other, with the same sums in the same order.
// Block offers
//     index()              number of the block in its launch
//     each(phase)          as above
//     shared()             job.shared_floats() floats, seen by all threads, aligned to 16 bytes
//     Own<Value>           a variable that each thread has for itself, kept between phases
//     alone(phase)         as each, where threads touch nothing that another one does: no barrier
//     across_quads(own, f) each float of Own<RowPair> of four threads becomes f of the four
//     multiply_tiles(of)   a product of tiles by each warp, of(thread) giving its TileOperands
// and a job
//     threads              in a block, a multiple of partial_sums
//     blocks()             of the launch
//     shared_floats()      floats in shared memory.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos::cuda {

/// a * b + c, rounded once.
GALAPAGOS_HOST_DEVICE inline float multiply_add(float a, float b, float c) {
    return __builtin_fmaf(a, b, c);
}

inline constexpr int partial_sums = 16;

/// Shared memory that a sum over a block of `threads` takes.
GALAPAGOS_HOST_DEVICE constexpr int sum_floats(int threads) { return threads + partial_sums; }

/// After a phase in which every thread left its term in terms[thread]: adds them up to
/// `partial_sums` numbers. `total` gives the sum from the next phase on.
template <int threads, typename Block>
GALAPAGOS_HOST_DEVICE inline void add_terms(const Block& block, float* terms) {
    static_assert(threads % partial_sums == 0);
    block.each([&](int thread) {
        if (thread >= partial_sums) return;
        float sum = terms[thread];
        for (int i = thread + partial_sums; i < threads; i += partial_sums) sum += terms[i];
        terms[threads + thread] = sum;
    });
}

template <int threads>
GALAPAGOS_HOST_DEVICE inline float total(const float* terms) {
    float sum = terms[threads];
    for (int i = 1; i < partial_sums; ++i) sum += terms[threads + i];
    return sum;
}

}  // namespace galapagos::cuda
