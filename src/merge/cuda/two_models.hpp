// NearSwap and Arcee Fusion, which know a base and one other model, for eight neighbouring
// elements, with the bits that merge/nearswap.cpp and merge/arcee_fusion.cpp give.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/lines.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

GALAPAGOS_HOST_DEVICE inline float swap_near(float base, float other, float t) {
    constexpr float smallest = 1e-6f;
    const float distance = magnitude_of(base - other);
    float weight = t / (distance < smallest ? smallest : distance);
    weight = weight > 1 ? 1.0f : weight;
    weight = weight < 0 ? 0.0f : weight;
    const float of_other = weight * other;
    const float of_base = (1 - weight) * base;
    return of_other + of_base;
}

GALAPAGOS_HOST_DEVICE inline void merge_nearswap(const DeviceJob& job, const Pack& pack,
                                                 float (&out)[pack_elements]) {
    float base[pack_elements], other[pack_elements];
    load_pack(job, job.base, pack, base);
    load_pack(job, job.inputs[0].tensor, pack, other);
    for (int i = 0; i < pack_elements; ++i) out[i] = swap_near(base[i], other[i], job.t);
}

/// A change is taken over if its magnitude times its row's divergence reaches the threshold.
GALAPAGOS_HOST_DEVICE inline void merge_arcee_fusion(const DeviceJob& job, const Pack& pack,
                                                     float (&out)[pack_elements]) {
    const float threshold = float_of(job.threshold);
    float base[pack_elements], other[pack_elements];
    std::int64_t row[pack_elements];
    find_lines(job, pack, row);
    load_pack(job, job.base, pack, base);
    load_pack(job, job.inputs[0].tensor, pack, other);
    for (int i = 0; i < pack_elements; ++i) {
        const float change = other[i] - base[i];
        const float divergence = i < pack.count ? job.lines.factors[row[i]] : 0.0f;
        const float importance = magnitude_of(change) * divergence;
        const float taken = change * (importance >= threshold ? 1.0f : 0.0f);
        out[i] = base[i] + taken;
    }
}

}  // namespace galapagos::cuda
