// Stored elements as vectors of floats.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "merge/magnitude.hpp"
#include "weights/dtype.hpp"

namespace galapagos {

#define GALAPAGOS_INLINE inline __attribute__((always_inline))

inline constexpr auto largest_key = static_cast<std::int32_t>(magnitude_bits);

template <int lanes>
struct Vectors {
    typedef float Floats __attribute__((vector_size(4 * lanes)));
    typedef std::int32_t Ints __attribute__((vector_size(4 * lanes)));
    typedef std::uint32_t Words __attribute__((vector_size(4 * lanes)));
};

/// Elements are taken by two vectors of eight at a time, or one by one. Of sixteen bf16 elements
/// the first vector holds those with even numbers, the second those with odd ones, which takes a
/// shift and a mask; of fp32 elements, the first eight and the last eight.
inline constexpr int wide = 8;

template <DType dtype, int lanes, int half>
GALAPAGOS_INLINE void load(const std::byte* data, std::int64_t at,
                           typename Vectors<lanes>::Floats& values) {
    typename Vectors<lanes>::Words words;
    if constexpr (dtype == DType::f32) {
        std::memcpy(&values, data + 4 * (at + half * lanes), sizeof values);
    } else if constexpr (lanes == wide) {
        std::memcpy(&words, data + 2 * at, sizeof words);
        words = half == 0 ? words << 16 : words & 0xFFFF0000u;
        std::memcpy(&values, &words, sizeof values);
    } else {
        std::uint16_t bits;
        std::memcpy(&bits, data + 2 * at, sizeof bits);
        values[0] = std::bit_cast<float>(std::uint32_t{bits} << 16);
    }
}

}  // namespace galapagos
