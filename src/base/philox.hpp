// The rounds of Philox4x32-10, one for host, vector and GPU code (see base/random.hpp).
#pragma once

#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos::philox {

inline constexpr int rounds = 10;
// Multipliers and Weyl increments of the paper, section 3.3.
inline constexpr std::uint32_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
inline constexpr std::uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;

/// All 64 bits of a product. With a constant, nvcc's own way to it adds a zero to the upper half.
GALAPAGOS_HOST_DEVICE constexpr std::uint64_t wide_product(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
    std::uint64_t product = 0;
    asm("mul.wide.u32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
    return product;
#else
    return std::uint64_t{a} * b;
#endif
}

/// A counter on its way to becoming four random words, and the key of the next round.
struct State {
    std::uint32_t c0, c1, c2, c3;
    std::uint32_t k0, k1;

    GALAPAGOS_HOST_DEVICE constexpr void advance() {
        const std::uint64_t p0 = wide_product(multiplier0, c0);
        const std::uint64_t p1 = wide_product(multiplier1, c2);
        c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
        c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<std::uint32_t>(p1);
        c3 = static_cast<std::uint32_t>(p0);
        k0 += weyl0;
        k1 += weyl1;
    }
};

}  // namespace galapagos::philox
