// Reinforced Agent Merging for eight neighbouring elements, with the bits that merge/ram.cpp gives.
#pragma once

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

/// Of the changes that count: their sum, the weighted sum, and how many they are.
struct Changes {
    float sum;
    float alone;
    float active;
};

GALAPAGOS_HOST_DEVICE inline void add_change(Changes& c, float x, float epsilon, float gain) {
    const bool counts = !(magnitude_of(x) <= epsilon);  // a NaN must not vanish
    const float product = gain * x;
    c.sum = c.sum + (counts ? x : 0.0f);
    c.alone = c.alone + (counts ? product : 0.0f);
    c.active = c.active + (counts ? 1.0f : 0.0f);
}

GALAPAGOS_HOST_DEVICE inline void merge_ram(const DeviceJob& job, const Pack& pack,
                                            float (&out)[pack_elements]) {
    float base[pack_elements], value[pack_elements];
    Changes changes[pack_elements] = {};
    load_pack(job, job.base, pack, base);
    for (int k = 0; k < job.input_count; ++k) {
        load_pack(job, job.inputs[k].tensor, pack, value);
        for (int i = 0; i < pack_elements; ++i)
            add_change(changes[i], value[i] - base[i], job.epsilon, job.inputs[k].gain);
    }
    for (int i = 0; i < pack_elements; ++i) {
        const Changes& c = changes[i];
        const float shared = c.sum / (c.active > 1 ? c.active : 1.0f);
        out[i] = base[i] + (c.active > 1 ? shared : c.alone);
    }
}

}  // namespace galapagos::cuda
