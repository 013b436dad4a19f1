// Vectors of the instruction set at hand, loaded from fp32 and bf16, and the end of a product: what
// the two kinds of matrix kernels share. Included by matrix_kernels_body.hpp alone.
#pragma once

#include <cstdint>

#include "model/kernels/matrix_kernels.hpp"
#include "model/kernels/scratch.hpp"

namespace galapagos {
namespace {

constexpr int64_t lanes = GALAPAGOS_VECTOR_BYTES / 4;
/// Elements are loaded two vectors at a time. Of a step of bf16 one holds the elements with even
/// places and the other those with odd ones, which takes a shift and a mask.
constexpr int64_t step = 2 * lanes;

typedef float Vector __attribute__((vector_size(GALAPAGOS_VECTOR_BYTES)));
typedef uint32_t Bits __attribute__((vector_size(GALAPAGOS_VECTOR_BYTES)));
typedef float AnyVector __attribute__((vector_size(GALAPAGOS_VECTOR_BYTES), aligned(2), may_alias));
typedef uint32_t AnyBits
    __attribute__((vector_size(GALAPAGOS_VECTOR_BYTES), aligned(2), may_alias));
typedef float Four __attribute__((vector_size(16)));
typedef uint32_t FourBits __attribute__((vector_size(16)));
typedef float AnyFour __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint16_t FourNarrow __attribute__((vector_size(8)));
typedef uint16_t AnyFourNarrow __attribute__((vector_size(8), aligned(2), may_alias));

struct Step {
    Vector first, second;
};

inline Vector load_vector(const float* p) { return *reinterpret_cast<const AnyVector*>(p); }
inline void store_vector(float* p, Vector v) { *reinterpret_cast<AnyVector*>(p) = v; }

inline Step load_step(const float* p) { return {load_vector(p), load_vector(p + lanes)}; }
inline Step load_step(const Bf16* p) {
    const Bits both = *reinterpret_cast<const AnyBits*>(p);
    return {reinterpret_cast<Vector>(both << 16), reinterpret_cast<Vector>(both & 0xffff0000U)};
}

/// The first `count` elements of a step; the others are 0.
template <typename T>
inline Step load_part(const T* p, int64_t count) {
    T elements[step] = {};
    __builtin_memcpy(elements, p, static_cast<size_t>(count) * sizeof(T));
    return load_step(elements);
}

inline void store_step(float* p, const Step& values) {
    store_vector(p, values.first);
    store_vector(p + lanes, values.second);
}

inline float widened(float value) { return value; }
inline float widened(Bf16 value) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(value) << 16);
}

inline Four load_four(const float* p) { return *reinterpret_cast<const AnyFour*>(p); }
inline Four load_four(const Bf16* p) {
    return Four{widened(p[0]), widened(p[1]), widened(p[2]), widened(p[3])};
}
inline void store_four(float* p, Four values) { *reinterpret_cast<AnyFour*>(p) = values; }
inline void store_four(Bf16* p, Four values) {
    const auto bits = reinterpret_cast<FourBits>(values);
    const FourBits rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const FourBits chosen = values != values ? FourBits{} + 0x7fc0U : rounded;
    *reinterpret_cast<AnyFourNarrow*>(p) = __builtin_convertvector(chosen, FourNarrow);
}

/// Writes four neighbouring outputs of a row, of which `count` exist.
template <typename T>
inline void finish_four(const MatrixTask<T>& task, int64_t row, int64_t column, int64_t count,
                        Four total) {
    const int64_t place = row * task.out + column;
    if (count >= 4) {
        if (task.bias != nullptr) total += load_four(task.bias + column);
        if (task.wide != nullptr)
            store_four(task.wide + place, total);
        else
            store_four(task.output + place, total);
        return;
    }
    T narrow[4];
    float wide[4];
    Four bias{};
    for (int64_t c = 0; c < count && task.bias != nullptr; ++c)
        bias[c] = widened(task.bias[column + c]);
    store_four(wide, total + bias);
    store_four(narrow, total + bias);
    for (int64_t c = 0; c < count; ++c) {
        if (task.wide != nullptr)
            task.wide[place + c] = wide[c];
        else
            task.output[place + c] = narrow[c];
    }
}

}  // namespace
}  // namespace galapagos
