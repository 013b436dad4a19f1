// What the threads of a block share while they take statistics.
//
// Such kernels are written for a block whose threads take steps together:
//     block.each([&](int thread) { ... });
// calls the function for every thread of the block, and returns when all of them are done. What is
// between the steps, every thread does for itself; it must not read what the step before it or the
// one after it writes to shared memory. Block::threads says how many there are. On the GPU `each`
// is a call and a barrier; tests run the same code by a loop, or by threads of the host.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos::cuda {

inline constexpr int most_block_threads = 256;

// Counters that several threads change in one step. Sums of whole numbers come out the same in any
// order.

GALAPAGOS_HOST_DEVICE inline std::uint32_t add_to(std::uint32_t& counter, std::uint32_t amount) {
#if defined(__CUDA_ARCH__)
    return atomicAdd(&counter, amount);
#else
    return std::atomic_ref(counter).fetch_add(amount, std::memory_order_relaxed);
#endif
}

GALAPAGOS_HOST_DEVICE inline std::uint64_t add_to(std::uint64_t& counter, std::uint64_t amount) {
#if defined(__CUDA_ARCH__)
    static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));
    return atomicAdd(reinterpret_cast<unsigned long long*>(&counter),
                     static_cast<unsigned long long>(amount));
#else
    return std::atomic_ref(counter).fetch_add(amount, std::memory_order_relaxed);
#endif
}

GALAPAGOS_HOST_DEVICE inline void raise_to(std::uint32_t& largest, std::uint32_t value) {
#if defined(__CUDA_ARCH__)
    atomicMax(&largest, value);
#else
    std::atomic_ref shared(largest);
    std::uint32_t seen = shared.load(std::memory_order_relaxed);
    while (seen < value && !shared.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
#endif
}

/// Puts `value` into a place that is `free`; returns what is there afterwards.
GALAPAGOS_HOST_DEVICE inline std::uint32_t claim(std::uint32_t& place, std::uint32_t free,
                                                 std::uint32_t value) {
#if defined(__CUDA_ARCH__)
    std::uint32_t seen = *reinterpret_cast<volatile std::uint32_t*>(&place);
    if (seen == free) seen = atomicCAS(&place, free, value);
    return seen == free ? value : seen;
#else
    std::atomic_ref shared(place);
    std::uint32_t seen = shared.load(std::memory_order_relaxed);
    if (seen != free) return seen;
    return shared.compare_exchange_strong(seen, value, std::memory_order_relaxed) ? value : seen;
#endif
}

}  // namespace galapagos::cuda
