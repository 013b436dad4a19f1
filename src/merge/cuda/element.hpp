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

/// Keep a task vector's element if it is among the largest, but not among the very largest.
struct Thresholds {
    std::uint32_t least, dropped;

    /// Of an element that is kept, or dropped, if its magnitude is the threshold.
    GALAPAGOS_HOST_DEVICE Thresholds(const DeviceInput& input, bool tie, bool dropped_tie)
        : least(input.threshold + (tie ? 0u : 1u)),
          dropped(input.ceiling == no_ceiling ? no_ceiling
                                              : input.ceiling + (dropped_tie ? 0u : 1u)) {}

    GALAPAGOS_HOST_DEVICE bool reaches(float x) const {
        return (bits_of(x) & magnitude_bits) >= least;
    }
    GALAPAGOS_HOST_DEVICE float keep(float x) const {
        return reaches(x) && (bits_of(x) & magnitude_bits) < dropped ? x : 0.0f;
    }
};

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

/// What doesn't count would add +0, which changes no total: these begin with +0.
GALAPAGOS_HOST_DEVICE inline void tally(Totals& t, float x, float gain, float vote) {
    const float value = gain * x;
    t.sum = t.sum + value;
    if (value > 0) {
        t.positive = t.positive + value;
        t.positive_vote = t.positive_vote + vote;
    }
    if (value < 0) {
        t.negative = t.negative + value;
        t.negative_vote = t.negative_vote + vote;
    }
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
