// SCE for eight neighbouring elements, with the bits that merge/sce.cpp gives.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

/// The bit patterns of the variance of the changes over the models, in fp64.
GALAPAGOS_HOST_DEVICE inline void variance_keys(const DeviceJob& job, const Pack& pack,
                                                const float (&base)[pack_elements],
                                                std::uint32_t (&keys)[pack_elements]) {
    float value[pack_elements];
    double mean[pack_elements] = {}, squares[pack_elements] = {}, models = 0;
    for (int k = 0; k < job.input_count; ++k) {
        load_pack(job, job.inputs[k].tensor, pack, value);
        ++models;
        for (int i = 0; i < pack_elements; ++i) {
            const double change = value[i] - base[i];
            const double step = change - mean[i];
            mean[i] = mean[i] + step / models;
            squares[i] = squares[i] + step * (change - mean[i]);
        }
    }
    for (int i = 0; i < pack_elements; ++i)
        keys[i] = bits_of(static_cast<float>(squares[i] / models)) & magnitude_bits;
}

/// One bit for each element of a pack: whether the models differ enough there.
GALAPAGOS_HOST_DEVICE inline std::uint32_t select(const DeviceJob& job, const Pack& pack,
                                                  const float (&base)[pack_elements]) {
    std::uint32_t keys[pack_elements], kept = 0;
    variance_keys(job, pack, base, keys);
    for (int i = 0; i < pack_elements; ++i) {
        const bool tie =
            keys[i] == job.threshold && job.runs.global(pack.first + i) <= job.last_tie;
        kept |= (keys[i] > job.threshold || tie ? 1u : 0u) << i;
    }
    return kept;
}

/// Totals of an election by the plain changes; what counts is weighted.
GALAPAGOS_HOST_DEVICE inline void tally_weighted(Totals& t, float x, float weight) {
    const float value = weight * x;
    t.sum = t.sum + x;
    t.positive = t.positive + (x > 0 ? value : 0.0f);
    t.negative = t.negative + (x < 0 ? value : 0.0f);
    t.positive_vote = t.positive_vote + (x > 0 ? weight : 0.0f);
    t.negative_vote = t.negative_vote + (x < 0 ? weight : 0.0f);
}

GALAPAGOS_HOST_DEVICE inline float elect_weighted(const Totals& t, float base) {
    constexpr float smallest = 1e-6f;
    const bool plus = t.sum >= 0;
    const float votes = plus ? t.positive_vote : t.negative_vote;
    const float value = (plus ? t.positive : t.negative) / (votes < smallest ? smallest : votes);
    return base + (t.sum == t.sum ? value : t.sum);
}

/// With a selection the sources are read a second time, from the cache.
GALAPAGOS_HOST_DEVICE inline void merge_sce(const DeviceJob& job, const Pack& pack,
                                            float (&out)[pack_elements]) {
    float base[pack_elements], value[pack_elements];
    Totals totals[pack_elements] = {};
    load_pack(job, job.base, pack, base);
    const std::uint32_t kept = job.selects ? select(job, pack, base) : ~0u;
    for (int k = 0; k < job.input_count; ++k) {
        load_pack(job, job.inputs[k].tensor, pack, value);
        for (int i = 0; i < pack_elements; ++i)
            tally_weighted(totals[i], (kept >> i & 1u) != 0 ? value[i] - base[i] : 0.0f,
                           job.inputs[k].gain);
    }
    for (int i = 0; i < pack_elements; ++i) out[i] = elect_weighted(totals[i], base[i]);
}

}  // namespace galapagos::cuda
