// Exponential and logarithm in double precision, from operations that every processor rounds alike.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos {

// Loops over these are vectorised, and they give the same bits in every variant; those of the C
// library are calls, and differ with its choice of instructions. ln 2 in two parts: products of the
// first with whole numbers below 2^20 are exact (Cody and Waite's reduction).
inline constexpr double ln2_upper = 0x1.62e42feep-1;
inline constexpr double ln2_lower = 0x1.a39ef35793c76p-33;

/// e^x for x <= 0, within two units of the last place; below -708 it stays at e^-708.
GALAPAGOS_HOST_DEVICE inline __attribute__((always_inline)) double exp_of_negative(double x) {
    x = x < -708.0 ? -708.0 : x;
    // Adding 1.5 * 2^52 rounds to a whole number, which is then in the lowest bits.
    constexpr double rounder = 0x1.8p52;
    constexpr double per_ln2 = 0x1.71547652b82fep0;
    const double shifted = x * per_ln2 + rounder;
    const double whole = shifted - rounder;
    const double r = (x - whole * ln2_upper) - whole * ln2_lower;
    double sum = 1.0 / 6227020800.0;  // 1/13!: |r| <= ln(2)/2, the next term is below 2^-57
    sum = sum * r + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    const double power = 1.0 + (r + r * r * sum);
    return __builtin_bit_cast(double, __builtin_bit_cast(std::uint64_t, power) +
                                          (__builtin_bit_cast(std::uint64_t, shifted) << 52));
}

/// ln x for normal x > 0, within two units of the last place.
GALAPAGOS_HOST_DEVICE inline __attribute__((always_inline)) double log_of_positive(double x) {
    // x = 2^exponent * m, m from sqrt(1/2) to sqrt(2).
    constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd;
    constexpr std::uint64_t bias = std::uint64_t{1024} << 52;
    const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, x);
    const std::uint64_t biased = (bits - root_half + bias) >> 52;  // exponent + 1024
    const double m = __builtin_bit_cast(double, bits - (biased << 52) + bias);
    const double exponent =
        __builtin_bit_cast(double, biased | 0x4330000000000000) - (0x1p52 + 1024);
    // ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
    const double f = m - 1.0;
    const double s = f / (m + 1.0);
    const double z = s * s;
    double sum = 1.0 / 21.0;
    sum = sum * z + 1.0 / 19.0;
    sum = sum * z + 1.0 / 17.0;
    sum = sum * z + 1.0 / 15.0;
    sum = sum * z + 1.0 / 13.0;
    sum = sum * z + 1.0 / 11.0;
    sum = sum * z + 1.0 / 9.0;
    sum = sum * z + 1.0 / 7.0;
    sum = sum * z + 1.0 / 5.0;
    sum = sum * z + 1.0 / 3.0;
    // 2s = f - s f, which keeps the rounding error of s away from the leading term.
    const double tail = s * (2.0 * z * sum - f);
    return exponent * ln2_upper + (f + (tail + exponent * ln2_lower));
}

}  // namespace galapagos
