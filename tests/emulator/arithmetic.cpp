// Whole numbers and bits.
#include <algorithm>
#include <cstdint>

#include "emulator/fault.hpp"
#include "emulator/operations.hpp"

namespace galapagos::emulator {
namespace {

using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;
using S32 = std::int32_t;
using S64 = std::int64_t;

template <typename T>
Operation binary_divide() {
    return lane_operation<[](int lane, T a, T b) -> T {
        if (b == 0) throw Fault("divides a whole number by zero", lane);
        if (b == static_cast<T>(-1)) return static_cast<T>(std::is_signed_v<T> ? T{0} - a : a == b);
        return static_cast<T>(a / b);
    },
                          T, T, T>();
}

template <typename T>
Operation binary_remainder() {
    return lane_operation<[](int lane, T a, T b) -> T {
        if (b == 0) throw Fault("divides a whole number by zero", lane);
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    },
                          T, T, T>();
}

/// U is unsigned, S the signed type of that width.
template <typename U, typename S>
void add_width(const std::string& bits, Operations& operations) {
    constexpr U width = sizeof(U) * 8;
    operations["shl.b" + bits] = vector_operation<[](U a, U32 by) -> U {
        return by >= width ? U{0} : static_cast<U>(a << (by & (width - 1)));
    },
                                                  U, U, U32>();
    operations["shr.u" + bits] = vector_operation<[](U a, U32 by) -> U {
        return by >= width ? U{0} : static_cast<U>(a >> (by & (width - 1)));
    },
                                                  U, U, U32>();
    operations["shr.s" + bits] = vector_operation<[](S a, U32 by) -> S {
        return static_cast<S>(a >> (by >= width ? width - 1 : by));
    },
                                                  S, S, U32>();
    operations["and.b" + bits] = vector_operation<[](U a, U b) -> U { return a & b; }, U, U, U>();
    operations["or.b" + bits] = vector_operation<[](U a, U b) -> U { return a | b; }, U, U, U>();
    operations["xor.b" + bits] = vector_operation<[](U a, U b) -> U { return a ^ b; }, U, U, U>();
    operations["not.b" + bits] =
        vector_operation<[](U a) -> U { return static_cast<U>(~a); }, U, U>();
    for (const std::string type : {"s", "u"}) {
        operations["add." + type + bits] =
            vector_operation<[](U a, U b) -> U { return static_cast<U>(a + b); }, U, U, U>();
        operations["sub." + type + bits] =
            vector_operation<[](U a, U b) -> U { return static_cast<U>(a - b); }, U, U, U>();
        operations["mul.lo." + type + bits] =
            vector_operation<[](U a, U b) -> U { return static_cast<U>(U32{1} * a * b); }, U, U,
                             U>();
    }
    operations["min.s" + bits] =
        vector_operation<[](S a, S b) { return std::min(a, b); }, S, S, S>();
    operations["max.s" + bits] =
        vector_operation<[](S a, S b) { return std::max(a, b); }, S, S, S>();
    operations["min.u" + bits] =
        vector_operation<[](U a, U b) { return std::min(a, b); }, U, U, U>();
    operations["max.u" + bits] =
        vector_operation<[](U a, U b) { return std::max(a, b); }, U, U, U>();
    operations["div.s" + bits] = binary_divide<S>();
    operations["div.u" + bits] = binary_divide<U>();
    operations["rem.s" + bits] = binary_remainder<S>();
    operations["rem.u" + bits] = binary_remainder<U>();
    operations["neg.s" + bits] =
        vector_operation<[](U a) -> U { return static_cast<U>(U{0} - a); }, U, U>();
}

template <typename Narrow, typename Wide>
Operation wide_product() {
    return vector_operation<[](Narrow a, Narrow b) -> Wide {
        return static_cast<Wide>(static_cast<Wide>(a) * static_cast<Wide>(b));
    },
                            Wide, Narrow, Narrow>();
}

/// Byte i of the result is the one of the eight in b:a that digit i of the selector names; with
/// its highest bit set, the digit asks for that byte's sign in all places.
U32 permuted(U32 a, U32 b, U32 selector) {
    const U64 all = U64{b} << 32 | a;
    U32 result = 0;
    for (U32 i = 0; i < 4; ++i) {
        const U32 digit = selector >> (4 * i) & 15;
        U32 byte = static_cast<U32>(all >> (8 * (digit & 7))) & 0xFF;
        if ((digit & 8) != 0) byte = (byte & 0x80) != 0 ? 0xFF : 0;
        result |= byte << (8 * i);
    }
    return result;
}

/// The low `length` bits of a, put into b at `at`.
U32 inserted(U32 a, U32 b, U32 at, U32 length) {
    at &= 0xFF;
    length = std::min<U32>(length & 0xFF, 32);
    if (at >= 32 || length == 0) return b;
    const U32 mask = (length == 32 ? ~U32{0} : (U32{1} << length) - 1) << at;
    return (b & ~mask) | (a << at & mask);
}

}  // namespace

void add_arithmetic(Operations& operations) {
    add_width<U16, std::int16_t>("16", operations);
    add_width<U32, S32>("32", operations);
    add_width<U64, S64>("64", operations);
    operations["mul.wide.u16"] = wide_product<U16, U32>();
    operations["mul.wide.s16"] = wide_product<std::int16_t, S32>();
    operations["mul.wide.u32"] = wide_product<U32, U64>();
    operations["mul.wide.s32"] = wide_product<S32, S64>();
    operations["mad.lo.s32"] = operations["mad.lo.u32"] =
        vector_operation<[](U32 a, U32 b, U32 c) -> U32 { return a * b + c; }, U32, U32, U32,
                         U32>();
    operations["mad.lo.s64"] = operations["mad.lo.u64"] =
        vector_operation<[](U64 a, U64 b, U64 c) -> U64 { return a * b + c; }, U64, U64, U64,
                         U64>();
    operations["popc.b32"] =
        vector_operation<[](U32 a) -> U32 { return static_cast<U32>(__builtin_popcount(a)); }, U32,
                         U32>();
    operations["prmt.b32"] =
        lane_operation<[](int, U32 a, U32 b, U32 c) { return permuted(a, b, c); }, U32, U32, U32,
                       U32>();
    operations["bfi.b32"] =
        lane_operation<[](int, U32 a, U32 b, U32 c, U32 d) { return inserted(a, b, c, d); }, U32,
                       U32, U32, U32, U32>();
}

}  // namespace galapagos::emulator
