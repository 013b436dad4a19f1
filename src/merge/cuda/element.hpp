// The arithmetic of merging for one element, with the bits that merge/loops.cpp gives. Compile it
// without contraction to fused multiply-adds.
#pragma once

#include <cstdint>
#include <limits>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/number_formats.hpp"
#include "merge/magnitude.hpp"

namespace galapagos::cuda {

/// As JobInput::ceiling: nothing is dropped for being too large.
inline constexpr std::uint32_t no_ceiling = std::numeric_limits<std::uint32_t>::max();

GALAPAGOS_HOST_DEVICE inline float magnitude_of(float x) {
    return float_of(bits_of(x) & magnitude_bits);
}

/// Keeps a task vector's element if it is among the largest, but not among the very largest.
GALAPAGOS_HOST_DEVICE inline float keep_by_magnitude(float x, const DeviceInput& input,
                                                     std::int64_t element) {
    const std::uint32_t key = bits_of(x) & magnitude_bits;
    const std::uint32_t least = input.threshold + (element <= input.last_tie ? 0u : 1u);
    if (!(key >= least)) return 0.0f;
    if (input.ceiling == no_ceiling) return x;
    const std::uint32_t dropped = input.ceiling + (element <= input.last_dropped_tie ? 0u : 1u);
    return key >= dropped ? 0.0f : x;
}

/// What a random word must stay below for an element of a rank to be kept.
GALAPAGOS_HOST_DEVICE inline float rank_limit(const DeviceInput& input, std::uint32_t rank) {
    const float slope = input.slope * static_cast<float>(rank);
    return input.lowest + slope;
}
GALAPAGOS_HOST_DEVICE inline bool is_kept(RandomWord word, float limit) {
    return static_cast<float>(word) + 0.5f < limit;
}

/// Keeps it with a probability that grows with its rank, and divides by that if so asked.
GALAPAGOS_HOST_DEVICE inline float keep_by_rank(float x, const DeviceInput& input,
                                                std::uint32_t rank, RandomWord word) {
    constexpr float words = 65536;  // values of a random word
    const float limit = rank_limit(input, rank);
    const float value = input.inverse_p ? x * (words / limit) : x;
    return is_kept(word, limit) ? value : 0.0f;
}

/// Running totals of a sign election.
struct Totals {
    float sum;
    float positive;
    float negative;
    float positive_vote;
    float negative_vote;
};

GALAPAGOS_HOST_DEVICE inline void tally(Totals& t, float x, float gain, float vote) {
    const float value = gain * x;
    const float plus = value > 0 ? value : 0.0f;
    const float minus = value < 0 ? value : 0.0f;
    const float plus_vote = value > 0 ? vote : 0.0f;
    const float minus_vote = value < 0 ? vote : 0.0f;
    t.sum = t.sum + value;
    t.positive = t.positive + plus;
    t.negative = t.negative + minus;
    t.positive_vote = t.positive_vote + plus_vote;
    t.negative_vote = t.negative_vote + minus_vote;
}

GALAPAGOS_HOST_DEVICE inline float elect(const Totals& t, float base, bool normalize,
                                         float lambda) {
    const bool plus = t.sum >= 0;
    float value = plus ? t.positive : t.negative;
    if (normalize) {
        const float votes = plus ? t.positive_vote : t.negative_vote;
        value = value / (votes == 0 ? 1.0f : votes);
    }
    value = t.sum == t.sum ? value : t.sum;  // a NaN must not vanish
    return base + lambda * value;
}

}  // namespace galapagos::cuda
