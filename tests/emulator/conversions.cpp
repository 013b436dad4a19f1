// Moves, and numbers of one type as another.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "emulator/operations.hpp"

namespace galapagos::emulator {
namespace {

template <typename To, typename From>
Operation plain() {
    return vector_operation<[](From value) { return static_cast<To>(value); }, To, From>();
}

/// Towards zero; what doesn't fit becomes the limit, NaN becomes 0.
template <typename To, typename From>
Operation truncated() {
    return lane_operation<[](int, From value) -> To {
        if (value != value) return 0;
        const From whole = std::trunc(value);
        if (whole <= static_cast<From>(std::numeric_limits<To>::min()))
            return std::numeric_limits<To>::min();
        if (whole >= static_cast<From>(std::numeric_limits<To>::max()))
            return std::numeric_limits<To>::max();
        return static_cast<To>(whole);
    },
                          To, From>();
}

float narrowed(double value) {
    return value == value ? static_cast<float>(value)
                          : std::bit_cast<float>(std::uint32_t{0x7FFFFFFF});
}

/// To nearest, ties to even; any NaN becomes the one that GPUs make.
std::uint32_t bf16_bits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return value == value ? (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 : 0x7FFF;
}

template <typename T>
void add_moves(const std::string& bits, Operations& operations) {
    for (const std::string type : {"b", "u", "s", "f"})
        operations["mov." + type + bits] = plain<T, T>();
}

}  // namespace

void add_conversions(Operations& operations) {
    using S16 = std::int16_t;
    using U16 = std::uint16_t;
    using S32 = std::int32_t;
    using U32 = std::uint32_t;
    using S64 = std::int64_t;
    using U64 = std::uint64_t;
    add_moves<U16>("16", operations);
    add_moves<U32>("32", operations);
    add_moves<U64>("64", operations);
    operations["cvt.u16.u32"] = operations["cvt.s16.s32"] = plain<U16, U32>();
    operations["cvt.u16.u64"] = operations["cvt.s16.s64"] = plain<U16, U64>();
    operations["cvt.u32.u64"] = operations["cvt.s32.s64"] = plain<U32, U64>();
    operations["cvt.u32.u16"] = operations["cvt.s32.u16"] = plain<U32, U16>();
    operations["cvt.u64.u16"] = operations["cvt.s64.u16"] = plain<U64, U16>();
    operations["cvt.u64.u32"] = operations["cvt.s64.u32"] = plain<U64, U32>();
    operations["cvt.s32.s16"] = operations["cvt.u32.s16"] = plain<S32, S16>();
    operations["cvt.s64.s16"] = operations["cvt.u64.s16"] = plain<S64, S16>();
    operations["cvt.s64.s32"] = operations["cvt.u64.s32"] = plain<S64, S32>();
    operations["cvt.s64.s32 of 64"] = operations["cvt.u64.s32 of 64"] =
        vector_operation<[](U64 value) -> S64 { return static_cast<S32>(value); }, S64, U64>();
    operations["cvt.u64.u32 of 64"] = operations["cvt.s64.u32 of 64"] =
        vector_operation<[](U64 value) -> U64 { return static_cast<U32>(value); }, U64, U64>();
    operations["cvt.rn.f32.u16"] = plain<float, U16>();
    operations["cvt.rn.f32.s16"] = plain<float, S16>();
    operations["cvt.rn.f32.u32"] = plain<float, U32>();
    operations["cvt.rn.f32.s32"] = plain<float, S32>();
    operations["cvt.rn.f32.u64"] = plain<float, U64>();
    operations["cvt.rn.f32.s64"] = plain<float, S64>();
    operations["cvt.rn.f64.u32"] = plain<double, U32>();
    operations["cvt.rn.f64.s32"] = plain<double, S32>();
    operations["cvt.rn.f64.u64"] = plain<double, U64>();
    operations["cvt.rn.f64.s64"] = plain<double, S64>();
    operations["cvt.rzi.s32.f32"] = truncated<S32, float>();
    operations["cvt.rzi.u32.f32"] = truncated<U32, float>();
    operations["cvt.rzi.s64.f32"] = truncated<S64, float>();
    operations["cvt.rzi.s64.f64"] = truncated<S64, double>();
    operations["cvt.f64.f32"] = plain<double, float>();
    operations["cvt.rn.f32.f64"] =
        vector_operation<[](double value) { return narrowed(value); }, float, double>();
    operations["cvt.rn.bf16x2.f32"] = vector_operation<[](float high, float low) {
        return bf16_bits(high) << 16 | bf16_bits(low);
    },
                                                       U32, float, float>();
    // Global memory has the same addresses in its own space as in the generic one.
    operations["cvta.to.global.u64"] = operations["cvta.global.u64"] = plain<U64, U64>();
    operations["cvta.shared.u64"] =
        vector_operation<[](U64 at) { return at + shared_window; }, U64, U64>();
    operations["cvta.to.shared.u64"] =
        vector_operation<[](U64 at) { return at - shared_window; }, U64, U64>();
}

}  // namespace galapagos::emulator
