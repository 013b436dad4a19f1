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

/// The packs of a job's inputs, one after the other, with the next ones under way.
class InputPacks {
  public:
    GALAPAGOS_HOST_DEVICE InputPacks(const DeviceJob& job, const PlacedPack& pack)
        : job_(job), pack_(pack) {
        for (int k = 0; k < ahead; ++k) begin(k, begun_[k]);
    }

    GALAPAGOS_HOST_DEVICE void take(int k, float (&values)[pack_elements]) {
        const PackedBytes mine = begun_[0];
        for (int i = 1; i < ahead; ++i) begun_[i - 1] = begun_[i];
        begin(k + ahead, begun_[ahead - 1]);
        end_pack(job_, job_.inputs[k].tensor, pack_, mine, values);
    }

  private:
    static constexpr int ahead = 3;

    GALAPAGOS_HOST_DEVICE void begin(int k, PackedBytes& pack) {
        if (k < job_.input_count) pack = begin_pack(job_.inputs[k].tensor, pack_);
    }

    const DeviceJob& job_;
    const PlacedPack& pack_;
    PackedBytes begun_[ahead] = {};
};

/// Sums of weighted tensors, of weighted task vectors, and of those that agree in sign. A sum of
/// terms begins with -0, which changes no first term; without any it is the +0 that `sum` holds.
template <Arithmetic arithmetic, typename Words>
GALAPAGOS_HOST_DEVICE inline void merge_weighted(const DeviceJob& job, const PlacedPack& pack,
                                                 Words&& make_words, float (&sum)[pack_elements]) {
    float base[pack_elements], value[pack_elements];
    Totals totals[pack_elements];
    for (Totals& t : totals) t = {-0.0f, 0, 0, 0, 0};
    if (job.input_count > 0)
        for (float& s : sum) s = -0.0f;
    PackedBytes begun = {};
    if (arithmetic != Arithmetic::weighted_sum) begun = begin_pack(job.base, pack);
    InputPacks inputs(job, pack);
    if (arithmetic != Arithmetic::weighted_sum) end_pack(job, job.base, pack, begun, base);
    for (int k = 0; k < job.input_count; ++k) {
        const DeviceInput& input = job.inputs[k];
        inputs.take(k, value);
        if (arithmetic != Arithmetic::weighted_sum)
            make_delta(job, input, pack, base, make_words, value);
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
GALAPAGOS_HOST_DEVICE inline void merge_pack(const DeviceJob& job, const Pack& which,
                                             Words&& make_words) {
    const PlacedPack pack(job, which);
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
