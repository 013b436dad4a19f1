// The functions of the CPU's row kernels, operation for operation, so that neither side depends on
// its mathematical library.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/host_device.hpp"
#include "merge/cuda/number_formats.hpp"
#include "model/cuda/elements.hpp"
#include "weights/network_kinds.hpp"

namespace galapagos::cuda {

/// exp(x) to about 1 ulp for x <= 0 and well beyond; 0 below -87.3, infinity above 88.7, NaN kept.
GALAPAGOS_HOST_DEVICE inline float exponential(float x) {
    const float shifted = x * 1.44269504f + 12582912.0f;
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const std::uint32_t exponent = (bits_of(shifted) + (127u - 0x4B400000u)) << 23;
    const float value = p * float_of(exponent);
    if (x < -87.3f) return 0.0f;
    return x > 88.7f ? float_of(0x7F800000u) : value;
}

/// tanh(x) to about 1 ulp.
GALAPAGOS_HOST_DEVICE inline float hyperbolic_tangent(float x) {
    const float size = x < 0.0f ? -x : x;
    const float bounded = size > 10.0f ? 10.0f : size;
    const float far = 1.0f - 2.0f / (exponential(2.0f * bounded) + 1.0f);
    const float square = x * x;
    float p = -5.70498872745e-3f;
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    const float near = p * square * x + x;
    const float value = size < 0.625f ? near : (x < 0.0f ? -far : far);
    return x != x ? x : value;
}

GALAPAGOS_HOST_DEVICE inline float activation_of(Activation kind, float x) {
    switch (kind) {
        case Activation::silu:
            return x / (1.0f + exponential(-x));
        case Activation::gelu:
            return 0.5f * x * (1.0f + erff(x * 0.70710678f));
        case Activation::gelu_tanh: {
            const float u = 0.79788456f * (x + 0.044715f * x * x * x);
            return x / (1.0f + exponential(-2.0f * u));
        }
    }
    return x;
}

/// A logit of type T after its cap: cap * tanh(logit / cap), rounded as transformers does.
template <typename T>
GALAPAGOS_HOST_DEVICE inline float soft_capped(float logit, float cap) {
    if (cap == 0.0f) return logit;
    return rounded<T>(rounded<T>(hyperbolic_tangent(rounded<T>(logit / cap))) * cap);
}

}  // namespace galapagos::cuda
