// Element types one element at a time, with the bits that weights/convert.cpp gives.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/host_device.hpp"

namespace galapagos::cuda {

GALAPAGOS_HOST_DEVICE inline std::uint32_t bits_of(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

GALAPAGOS_HOST_DEVICE inline float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

GALAPAGOS_HOST_DEVICE inline float from_bf16(std::uint32_t bits) { return float_of(bits << 16); }

inline constexpr std::uint32_t bf16_nan = 0x7FC0;

/// Two bf16 numbers in a word. A GPU has an instruction for that, but for another NaN.
GALAPAGOS_HOST_DEVICE inline std::uint32_t to_bf16_pair(float low, float high) {
#if defined(__CUDA_ARCH__)
    std::uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    pair = low == low ? pair : (pair & 0xFFFF0000u) | bf16_nan;
    return high == high ? pair : (pair & 0xFFFFu) | bf16_nan << 16;
#else
    const auto half = [](float value) {
        const std::uint32_t bits = bits_of(value);
        if (value != value) return bf16_nan;
        return (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    };
    return half(low) | half(high) << 16;
#endif
}

GALAPAGOS_HOST_DEVICE inline std::uint32_t to_bf16(float value) {
    return to_bf16_pair(value, 0.0f);
}

GALAPAGOS_HOST_DEVICE inline float from_half(std::uint32_t half) {
    const std::uint32_t sign = (half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1Fu;
    const std::uint32_t mantissa = half & 0x3FFu;
    if (exponent == 0)  // zero or subnormal: a multiple of 2^-24, exact in float
        return float_of(sign | bits_of(static_cast<float>(mantissa) * 0x1p-24f));
    if (exponent == 31)  // infinity, or a NaN that becomes quiet
        return float_of(sign | 0x7F800000u | (mantissa != 0 ? 0x00400000u : 0u) | mantissa << 13);
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

GALAPAGOS_HOST_DEVICE inline std::uint32_t to_half(float value) {
    const std::uint32_t bits = bits_of(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu);
    if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // from 65520 on: infinity
    // Below 2^-14, adding 0.5 rounds to a multiple of 2^-24 and leaves it in the lowest bits.
    if (magnitude < 0x38800000u) return sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3F000000u);
    return sign | (magnitude - 0x38000000u + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
}

}  // namespace galapagos::cuda
