// The arithmetic of the merge methods on plain arrays of floats.
#pragma once

#include <cstdint>

namespace galapagos::loops {

/// out = gain * x
void scale(const float* x, float gain, float* out, std::int64_t count);
/// out += gain * x
void add_scaled(const float* x, float gain, float* out, std::int64_t count);
/// out = base + factor * x
void add_to_base(const float* base, const float* x, float factor, float* out, std::int64_t count);
/// x -= base
void subtract(const float* base, float* x, std::int64_t count);
/// Zeroes every x whose |x| has a bit pattern below `least`.
void keep_from(std::uint32_t least, float* x, std::int64_t count);
/// Zeroes every x whose |x| has a bit pattern of `least` or more.
void drop_from(std::uint32_t least, float* x, std::int64_t count);
/// Zeroes every x whose random word is not below `limit`.
void keep_random(const std::uint16_t* random, std::uint16_t limit, float* x, std::int64_t count);

/// Running totals of a sign election, for each element.
struct Tally {
    float* sum;
    float* positive;
    float* negative;
    float* positive_vote;
    float* negative_vote;
};
/// Starts (first) or continues the totals with the values gain * x.
void tally(const float* x, float gain, float vote, bool first, const Tally& totals,
           std::int64_t count);
/// out = base + lambda * (the winning sign's total, divided by its votes if `normalize`).
/// A zero sum elects plus; a divisor of zero counts as one.
void elect(const float* base, const Tally& totals, bool normalize, float lambda, float* out,
           std::int64_t count);

/// Bit patterns of |x - base|: for values that are not NaN, they are ordered as the values are.
void magnitude_keys(const float* base, const float* x, std::uint32_t* keys, std::int64_t count);
/// How many keys lie in [low, high].
std::int64_t count_between(const std::uint32_t* keys, std::uint32_t low, std::uint32_t high,
                           std::int64_t count);
std::uint32_t largest(const std::uint32_t* keys, std::int64_t count);
/// round(|value| * scale) for the values that the keys are the bit patterns of.
void to_fixed_point(const std::uint32_t* keys, float scale, std::int32_t* fixed,
                    std::int64_t count);

/// Sums of squares and products, in eight lanes each that are always the same.
struct PairSums {
    double aa[8] = {};
    double bb[8] = {};
    double ab[8] = {};
};
void add_products(const float* a, const float* b, PairSums& sums, std::int64_t count);
/// Adds a * b to eight lanes.
void add_dot(const float* a, const float* b, double* lanes, std::int64_t count);

}  // namespace galapagos::loops
