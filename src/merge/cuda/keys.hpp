// Bit patterns of numbers that are not negative, computed from a tensor's sources pack by pack.
#pragma once

#include <cstdint>

#include "merge/cuda/element.hpp"
#include "merge/cuda/lines.hpp"
#include "merge/cuda/pack.hpp"
#include "merge/cuda/sce.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

/// Magnitudes of the task vector of an entry's only input.
struct DeltaKeys {
    GALAPAGOS_HOST_DEVICE static void load(const DeviceJob& job, const Pack& pack,
                                           std::uint32_t (&keys)[pack_elements]) {
        float base[pack_elements], value[pack_elements];
        load_pack(job, job.base, pack, base);
        load_pack(job, job.inputs[0].tensor, pack, value);
        for (int i = 0; i < pack_elements; ++i)
            keys[i] = bits_of(value[i] - base[i]) & magnitude_bits;
    }
};

/// The variance of the changes over the models.
struct VarianceKeys {
    GALAPAGOS_HOST_DEVICE static void load(const DeviceJob& job, const Pack& pack,
                                           std::uint32_t (&keys)[pack_elements]) {
        float base[pack_elements];
        load_pack(job, job.base, pack, base);
        variance_keys(job, pack, base, keys);
    }
};

/// Magnitudes of changes times their row's divergence.
struct ImportanceKeys {
    GALAPAGOS_HOST_DEVICE static void load(const DeviceJob& job, const Pack& pack,
                                           std::uint32_t (&keys)[pack_elements]) {
        float base[pack_elements], value[pack_elements];
        std::int64_t row[pack_elements];
        find_lines(job, pack, row);
        load_pack(job, job.base, pack, base);
        load_pack(job, job.inputs[0].tensor, pack, value);
        for (int i = 0; i < pack_elements; ++i) {
            const float divergence = i < pack.count ? job.lines.factors[row[i]] : 0.0f;
            keys[i] = bits_of(magnitude_of(value[i] - base[i]) * divergence) & magnitude_bits;
        }
    }
};

/// Calls visit(key, element) for a pack.
template <typename Keys, typename Visit>
GALAPAGOS_HOST_DEVICE void for_each_key(const StatisticJob& job, const Pack& pack,
                                        const Visit& visit) {
    std::uint32_t keys[pack_elements];
    Keys::load(job.tensors, pack, keys);
    for (int i = 0; i < pack_elements; ++i)
        if (i < pack.count) visit(keys[i], pack.first + i);
}

GALAPAGOS_HOST_DEVICE inline bool in_range(const StatisticJob& job, std::uint32_t key) {
    return key - job.low <= job.high - job.low;
}

}  // namespace galapagos::cuda
