#include "merge/loops.hpp"

#include <bit>
#include <cmath>

#include "merge/magnitude.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos::loops {

GALAPAGOS_VECTOR_CLONES
void scale(const float* __restrict x, float gain, float* __restrict out, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = gain * x[i];
}

GALAPAGOS_VECTOR_CLONES
void add_scaled(const float* __restrict x, float gain, float* __restrict out, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out[i] += gain * x[i];
}

GALAPAGOS_VECTOR_CLONES
void add_to_base(const float* __restrict base, const float* __restrict x, float factor,
                 float* __restrict out, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = base[i] + factor * x[i];
}

GALAPAGOS_VECTOR_CLONES
void subtract(const float* __restrict base, float* __restrict x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) x[i] -= base[i];
}

GALAPAGOS_VECTOR_CLONES
void keep_from(std::uint32_t least, float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t key = std::bit_cast<std::uint32_t>(x[i]) & magnitude_bits;
        x[i] = key >= least ? x[i] : 0.0f;
    }
}

GALAPAGOS_VECTOR_CLONES
void drop_from(std::uint32_t least, float* x, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t key = std::bit_cast<std::uint32_t>(x[i]) & magnitude_bits;
        x[i] = key >= least ? 0.0f : x[i];
    }
}

GALAPAGOS_VECTOR_CLONES
void keep_random(const std::uint16_t* __restrict random, std::uint16_t limit, float* __restrict x,
                 std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) x[i] = random[i] < limit ? x[i] : 0.0f;
}

namespace {

template <bool first>
inline __attribute__((always_inline)) void tally_loop(
    const float* __restrict x, float gain, float vote, float* __restrict sum,
    float* __restrict positive, float* __restrict negative, float* __restrict positive_vote,
    float* __restrict negative_vote, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float value = gain * x[i];
        const float plus = value > 0 ? value : 0.0f;
        const float minus = value < 0 ? value : 0.0f;
        const float plus_vote = value > 0 ? vote : 0.0f;
        const float minus_vote = value < 0 ? vote : 0.0f;
        sum[i] = first ? value : sum[i] + value;
        positive[i] = first ? plus : positive[i] + plus;
        negative[i] = first ? minus : negative[i] + minus;
        positive_vote[i] = first ? plus_vote : positive_vote[i] + plus_vote;
        negative_vote[i] = first ? minus_vote : negative_vote[i] + minus_vote;
    }
}

GALAPAGOS_VECTOR_CLONES
void tally_first(const float* x, float gain, float vote, const Tally& t, std::int64_t count) {
    tally_loop<true>(x, gain, vote, t.sum, t.positive, t.negative, t.positive_vote, t.negative_vote,
                     count);
}

GALAPAGOS_VECTOR_CLONES
void tally_next(const float* x, float gain, float vote, const Tally& t, std::int64_t count) {
    tally_loop<false>(x, gain, vote, t.sum, t.positive, t.negative, t.positive_vote,
                      t.negative_vote, count);
}

template <bool normalize>
inline __attribute__((always_inline)) void elect_loop(
    const float* __restrict base, const float* __restrict sum, const float* __restrict positive,
    const float* __restrict negative, const float* __restrict positive_vote,
    const float* __restrict negative_vote, float lambda, float* __restrict out,
    std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const bool plus = sum[i] >= 0;
        float value = plus ? positive[i] : negative[i];
        if (normalize) {
            const float votes = plus ? positive_vote[i] : negative_vote[i];
            value = value / (votes == 0 ? 1.0f : votes);
        }
        // A NaN is in no total of one sign: it must not vanish here.
        value = sum[i] == sum[i] ? value : sum[i];
        out[i] = base[i] + lambda * value;
    }
}

GALAPAGOS_VECTOR_CLONES
void elect_mean(const float* base, const Tally& t, float lambda, float* out, std::int64_t count) {
    elect_loop<true>(base, t.sum, t.positive, t.negative, t.positive_vote, t.negative_vote, lambda,
                     out, count);
}

GALAPAGOS_VECTOR_CLONES
void elect_sum(const float* base, const Tally& t, float lambda, float* out, std::int64_t count) {
    elect_loop<false>(base, t.sum, t.positive, t.negative, t.positive_vote, t.negative_vote, lambda,
                      out, count);
}

}  // namespace

void tally(const float* x, float gain, float vote, bool first, const Tally& totals,
           std::int64_t count) {
    first ? tally_first(x, gain, vote, totals, count) : tally_next(x, gain, vote, totals, count);
}

void elect(const float* base, const Tally& totals, bool normalize, float lambda, float* out,
           std::int64_t count) {
    normalize ? elect_mean(base, totals, lambda, out, count)
              : elect_sum(base, totals, lambda, out, count);
}

GALAPAGOS_VECTOR_CLONES
void magnitude_keys(const float* __restrict base, const float* __restrict x,
                    std::uint32_t* __restrict keys, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
        keys[i] = std::bit_cast<std::uint32_t>(x[i] - base[i]) & magnitude_bits;
}

GALAPAGOS_VECTOR_CLONES
std::int64_t count_between(const std::uint32_t* keys, std::uint32_t low, std::uint32_t high,
                           std::int64_t count) {
    const std::uint32_t width = high - low;
    std::uint32_t total = 0;
    for (std::int64_t i = 0; i < count; ++i) total += keys[i] - low <= width ? 1u : 0u;
    return total;
}

GALAPAGOS_VECTOR_CLONES
std::uint32_t largest(const std::uint32_t* keys, std::int64_t count) {
    std::uint32_t result = 0;
    for (std::int64_t i = 0; i < count; ++i) result = keys[i] > result ? keys[i] : result;
    return result;
}

GALAPAGOS_VECTOR_CLONES
void to_fixed_point(const std::uint32_t* __restrict keys, float scale,
                    std::int32_t* __restrict fixed, std::int64_t count) {
    // Values of more than 23 bits are whole already, and lose at most their last bit here.
    for (std::int64_t i = 0; i < count; ++i)
        fixed[i] = static_cast<std::int32_t>(std::bit_cast<float>(keys[i]) * scale + 0.5f);
}

GALAPAGOS_VECTOR_CLONES
void add_products(const float* __restrict a, const float* __restrict b, PairSums& sums,
                  std::int64_t count) {
    double aa[8] = {}, bb[8] = {}, ab[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (int lane = 0; lane < 8; ++lane) {
            const double x = a[i + lane];
            const double y = b[i + lane];
            aa[lane] += x * x;
            bb[lane] += y * y;
            ab[lane] += x * y;
        }
    }
    for (int lane = 0; i < count; ++i, ++lane) {
        const double x = a[i];
        const double y = b[i];
        aa[lane] += x * x;
        bb[lane] += y * y;
        ab[lane] += x * y;
    }
    for (int lane = 0; lane < 8; ++lane) {
        sums.aa[lane] += aa[lane];
        sums.bb[lane] += bb[lane];
        sums.ab[lane] += ab[lane];
    }
}

GALAPAGOS_VECTOR_CLONES
void add_dot(const float* __restrict a, const float* __restrict b, double* __restrict lanes,
             std::int64_t count) {
    double sums[8] = {};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int lane = 0; lane < 8; ++lane)
            sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    for (int lane = 0; i < count; ++i, ++lane)
        sums[lane] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    for (int lane = 0; lane < 8; ++lane) lanes[lane] += sums[lane];
}

}  // namespace galapagos::loops
