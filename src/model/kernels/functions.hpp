// The functions of row kernels, for the CPU's loops and for a GPU's threads: neither depends on a
// mathematical library, but for erf. Internal, since each file has its own compiler flags.
#pragma once

#include <math.h>

#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos {

/// exp(x) to about 1 ulp for x <= 0 and well beyond; 0 below -87.3, infinity above 88.7, NaN kept.
/// Cody-Waite reduction and the minimax polynomial of Cephes' expf.
GALAPAGOS_HOST_DEVICE static inline float exponential(float x) {
    const float shifted = x * 1.44269504F + 12582912.0F;
    const float n = shifted - 12582912.0F;
    const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.0F;
    const std::uint32_t exponent =
        (__builtin_bit_cast(std::uint32_t, shifted) + (127U - 0x4b400000U)) << 23;
    float value = p * __builtin_bit_cast(float, exponent);
    value = x < -87.3F ? 0.0F : value;
    return x > 88.7F ? __builtin_bit_cast(float, 0x7f800000U) : value;
}

/// tanh(x) to about 1 ulp: Cephes' polynomial near 0, exponentials elsewhere.
GALAPAGOS_HOST_DEVICE static inline float hyperbolic_tangent(float x) {
    const float size = x < 0.0F ? -x : x;
    const float bounded = size > 10.0F ? 10.0F : size;
    const float far = 1.0F - 2.0F / (exponential(2.0F * bounded) + 1.0F);
    const float square = x * x;
    float p = -5.70498872745e-3F;
    p = p * square + 2.06390887954e-2F;
    p = p * square - 5.37397155531e-2F;
    p = p * square + 1.33314422036e-1F;
    p = p * square - 3.33332819422e-1F;
    const float near = p * square * x + x;
    const float value = size < 0.625F ? near : (x < 0.0F ? -far : far);
    return x != x ? x : value;
}

GALAPAGOS_HOST_DEVICE static inline float silu(float x) { return x / (1.0F + exponential(-x)); }

/// 0.5 x (1 + erf(x / sqrt(2))).
GALAPAGOS_HOST_DEVICE static inline float gelu(float x) {
    return 0.5F * x * (1.0F + erff(x * 0.70710678F));
}

/// 0.5 x (1 + tanh(u)) = x / (1 + exp(-2 u)) with u = sqrt(2 / pi) (x + 0.044715 x^3).
GALAPAGOS_HOST_DEVICE static inline float gelu_tanh(float x) {
    const float u = 0.79788456F * (x + 0.044715F * x * x * x);
    return x / (1.0F + exponential(-2.0F * u));
}

}  // namespace galapagos
