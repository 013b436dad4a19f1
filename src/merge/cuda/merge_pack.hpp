// Merging eight neighbouring elements: all that a GPU thread does, and the host's twin of it.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/lines.hpp"
#include "merge/cuda/pack.hpp"
#include "merge/cuda/ram.hpp"
#include "merge/cuda/sce.hpp"
#include "merge/cuda/thinning.hpp"
#include "merge/cuda/two_models.hpp"

namespace galapagos::cuda {

/// Sums of weighted tensors, of weighted task vectors, and of those that agree in sign. A sum of
/// terms begins with -0, which changes no first term; without any it is the +0 that `sum` holds.
template <Arithmetic arithmetic, typename Words>
GALAPAGOS_HOST_DEVICE inline void merge_weighted(const DeviceJob& job, const Pack& pack,
                                                 Words&& make_words, float (&sum)[pack_elements]) {
    float base[pack_elements], value[pack_elements];
    Totals totals[pack_elements];
    for (Totals& t : totals) t = {-0.0f, 0, 0, 0, 0};
    if (job.input_count > 0)
        for (float& s : sum) s = -0.0f;
    if (arithmetic != Arithmetic::weighted_sum) load_pack(job, job.base, pack, base);
    for (int k = 0; k < job.input_count; ++k) {
        const DeviceInput& input = job.inputs[k];
        if (arithmetic == Arithmetic::weighted_sum)
            load_pack(job, input.tensor, pack, value);
        else
            load_delta(job, input, pack, base, make_words, value);
        for (int i = 0; i < pack_elements; ++i) {
            if (arithmetic == Arithmetic::sign_election) {
                tally(totals[i], value[i], input.gain, input.vote);
            } else {
                const float product = input.gain * value[i];
                sum[i] = sum[i] + product;
            }
        }
    }
    if (arithmetic != Arithmetic::weighted_sum) {
        for (int i = 0; i < pack_elements; ++i) {
            if (job.input_count == 0)
                sum[i] = base[i];
            else if (arithmetic == Arithmetic::sign_election)
                sum[i] = elect(totals[i], base[i], job.normalize, job.factor);
            else
                sum[i] = base[i] + job.factor * sum[i];
        }
    }
}

/// Merges a pack of an entry of this arithmetic.
template <Arithmetic arithmetic, typename Words>
GALAPAGOS_HOST_DEVICE inline void merge_pack(const DeviceJob& job, const Pack& pack,
                                             Words&& make_words) {
    float merged[pack_elements] = {};
    if constexpr (arithmetic == Arithmetic::line_factors)
        merge_lines(job, pack, merged);
    else if constexpr (arithmetic == Arithmetic::sce)
        merge_sce(job, pack, merged);
    else if constexpr (arithmetic == Arithmetic::ram)
        merge_ram(job, pack, merged);
    else if constexpr (arithmetic == Arithmetic::arcee_fusion)
        merge_arcee_fusion(job, pack, merged);
    else if constexpr (arithmetic == Arithmetic::nearswap)
        merge_nearswap(job, pack, merged);
    else
        merge_weighted<arithmetic>(job, pack, make_words, merged);
    store_pack(job, pack, merged);
}

/// run.operator()<arithmetic>() for an arithmetic that is known only now.
template <typename Run>
void with_arithmetic(Arithmetic arithmetic, Run&& run) {
    switch (arithmetic) {
        case Arithmetic::weighted_sum:
            return run.template operator()<Arithmetic::weighted_sum>();
        case Arithmetic::task_vectors:
            return run.template operator()<Arithmetic::task_vectors>();
        case Arithmetic::sign_election:
            return run.template operator()<Arithmetic::sign_election>();
        case Arithmetic::line_factors:
            return run.template operator()<Arithmetic::line_factors>();
        case Arithmetic::sce:
            return run.template operator()<Arithmetic::sce>();
        case Arithmetic::ram:
            return run.template operator()<Arithmetic::ram>();
        case Arithmetic::arcee_fusion:
            return run.template operator()<Arithmetic::arcee_fusion>();
        case Arithmetic::nearswap:
            return run.template operator()<Arithmetic::nearswap>();
    }
}

}  // namespace galapagos::cuda
