// Conversion loops, compiled once for each instruction set and chosen when the program runs.
//
// The loops are plain C++ that the compiler vectorises; only half precision needs the conversion
// instructions. All variants give the same bits.
#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "weights/dtype.hpp"
#include "weights/instruction_set.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#define GALAPAGOS_X86 1
#endif

namespace galapagos {
namespace {

#define GALAPAGOS_INLINE inline __attribute__((always_inline))

template <typename T>
GALAPAGOS_INLINE T load(const std::byte* address) {
    T value;
    std::memcpy(&value, address, sizeof value);
    return value;
}

template <typename T>
GALAPAGOS_INLINE void store(std::byte* address, T value) {
    std::memcpy(address, &value, sizeof value);
}

/// Half to float for one element. NaNs become quiet, as the hardware does it.
GALAPAGOS_INLINE float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1Fu;
    const std::uint32_t mantissa = half & 0x3FFu;
    if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24 is exact in float
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    if (exponent == 31) {
        const std::uint32_t quiet = mantissa != 0 ? 0x00400000u : 0u;
        return std::bit_cast<float>(sign | 0x7F800000u | quiet | (mantissa << 13));
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

/// Float to half for one element: nearest, ties to even.
GALAPAGOS_INLINE std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) {
        const auto payload = static_cast<std::uint16_t>((magnitude >> 13) & 0x3FFu);
        return static_cast<std::uint16_t>(sign | 0x7E00u | payload);
    }
    if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // >= 65520
    if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 leaves multiples of 2^-24 in the bits
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<std::uint16_t>(sign |
                                          (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
    }
    const std::uint32_t rounded = magnitude - 0x38000000u + 0xFFFu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

GALAPAGOS_INLINE void bf16_to_float_loop(const std::byte* source, float* destination,
                                         std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t bits = load<std::uint16_t>(source + 2 * i);
        destination[i] = std::bit_cast<float>(bits << 16);
    }
}

GALAPAGOS_INLINE void float_to_bf16_loop(const float* source, std::byte* destination,
                                         std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(source[i]);
        const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
        const bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
        store(destination + 2 * i, static_cast<std::uint16_t>(nan ? 0x7FC0u : rounded));
    }
}

GALAPAGOS_INLINE void half_to_float_loop(const std::byte* source, float* destination,
                                         std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        destination[i] = half_to_float(load<std::uint16_t>(source + 2 * i));
    }
}

GALAPAGOS_INLINE void float_to_half_loop(const float* source, std::byte* destination,
                                         std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        store(destination + 2 * i, float_to_half(source[i]));
    }
}

struct Conversions {
    void (*bf16_to_float)(const std::byte*, float*, std::size_t);
    void (*float_to_bf16)(const float*, std::byte*, std::size_t);
    void (*half_to_float)(const std::byte*, float*, std::size_t);
    void (*float_to_half)(const float*, std::byte*, std::size_t);
};

void bf16_to_float_portable(const std::byte* s, float* d, std::size_t n) {
    bf16_to_float_loop(s, d, n);
}
void float_to_bf16_portable(const float* s, std::byte* d, std::size_t n) {
    float_to_bf16_loop(s, d, n);
}
void half_to_float_portable(const std::byte* s, float* d, std::size_t n) {
    half_to_float_loop(s, d, n);
}
void float_to_half_portable(const float* s, std::byte* d, std::size_t n) {
    float_to_half_loop(s, d, n);
}
constexpr Conversions portable = {bf16_to_float_portable, float_to_bf16_portable,
                                  half_to_float_portable, float_to_half_portable};

#if GALAPAGOS_X86
#define GALAPAGOS_AVX2 __attribute__((target("avx2,f16c")))
#define GALAPAGOS_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

GALAPAGOS_AVX2 void bf16_to_float_avx2(const std::byte* s, float* d, std::size_t n) {
    bf16_to_float_loop(s, d, n);
}
GALAPAGOS_AVX2 void float_to_bf16_avx2(const float* s, std::byte* d, std::size_t n) {
    float_to_bf16_loop(s, d, n);
}
GALAPAGOS_AVX2 void half_to_float_avx2(const std::byte* s, float* d, std::size_t n) {
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s + 2 * i));
        _mm256_storeu_ps(d + i, _mm256_cvtph_ps(half));
    }
    half_to_float_loop(s + 2 * i, d + i, n - i);
}
GALAPAGOS_AVX2 void float_to_half_avx2(const float* s, std::byte* d, std::size_t n) {
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(s + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(d + 2 * i), half);
    }
    float_to_half_loop(s + i, d + 2 * i, n - i);
}

// VCVTNEPS2BF16 is not used: it flushes subnormals. For half precision, 256 bits at a time keep up
// with memory.
GALAPAGOS_AVX512 void bf16_to_float_avx512(const std::byte* s, float* d, std::size_t n) {
    bf16_to_float_loop(s, d, n);
}
GALAPAGOS_AVX512 void float_to_bf16_avx512(const float* s, std::byte* d, std::size_t n) {
    float_to_bf16_loop(s, d, n);
}

constexpr Conversions avx2 = {bf16_to_float_avx2, float_to_bf16_avx2, half_to_float_avx2,
                              float_to_half_avx2};
constexpr Conversions avx512 = {bf16_to_float_avx512, float_to_bf16_avx512, half_to_float_avx2,
                                float_to_half_avx2};
#endif

const Conversions* variant(InstructionSet set) {
    switch (set) {
#if GALAPAGOS_X86
        case InstructionSet::avx2:
            return &avx2;
        case InstructionSet::avx512:
        case InstructionSet::amx:
            return &avx512;
#endif
        default:
            return &portable;
    }
}

const Conversions*& chosen() {
    static const Conversions* conversions = variant(instruction_set());
    return conversions;
}

[[noreturn]] void refuse(DType dtype) {
    throw Error("can't convert tensor elements",
                std::string(name_of(dtype)) + " is not one of F32, F16 and BF16");
}

}  // namespace

bool use_instruction_set(InstructionSet set) {
    const auto sets = supported_instruction_sets();
    if (std::find(sets.begin(), sets.end(), set) == sets.end()) return false;
    chosen() = variant(set);
    return true;
}

void to_float(const void* source, DType dtype, float* destination, std::size_t count) {
    const auto* bytes = static_cast<const std::byte*>(source);
    switch (dtype) {
        case DType::f32:
            if (count != 0) std::memcpy(destination, bytes, count * sizeof(float));
            return;
        case DType::f16:
            return chosen()->half_to_float(bytes, destination, count);
        case DType::bf16:
            return chosen()->bf16_to_float(bytes, destination, count);
        default:
            refuse(dtype);
    }
}

void from_float(const float* source, std::size_t count, void* destination, DType dtype) {
    auto* bytes = static_cast<std::byte*>(destination);
    switch (dtype) {
        case DType::f32:
            if (count != 0) std::memcpy(bytes, source, count * sizeof(float));
            return;
        case DType::f16:
            return chosen()->float_to_half(source, bytes, count);
        case DType::bf16:
            return chosen()->float_to_bf16(source, bytes, count);
        default:
            refuse(dtype);
    }
}

}  // namespace galapagos
