// Sums of eight neighbouring elements whose factors differ from row to row, or from column to
// column, with the bits that merge/lines.cpp gives.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

/// The line, a row or a column, of each of a pack's elements.
GALAPAGOS_HOST_DEVICE inline void find_lines(const DeviceJob& job, const Pack& pack,
                                             std::int64_t (&line)[pack_elements]) {
    std::int64_t row = 0, column = 0;
    for (int i = 0; i < pack_elements; ++i) {
        if (i == 0 || !job.side_by_side) {
            const std::int64_t element = job.runs.global(pack.first + i);
            row = element / job.lines.length;
            column = element % job.lines.length;
        } else if (++column == job.lines.length) {
            column = 0;
            ++row;
        }
        line[i] = job.lines.columns ? column : row;
    }
}

/// What a base that isn't there adds changes no bits: the sum begins with +0, and is never -0.
GALAPAGOS_HOST_DEVICE inline void merge_lines(const DeviceJob& job, const Pack& pack,
                                              float (&out)[pack_elements]) {
    float base[pack_elements] = {}, value[pack_elements], sum[pack_elements] = {};
    std::int64_t line[pack_elements];
    find_lines(job, pack, line);
    if (job.base.data != nullptr) load_pack(job, job.base, pack, base);
    for (int k = 0; k < job.input_count; ++k) {
        const float* factors = job.lines.factors + k * job.lines.count;
        load_pack(job, job.inputs[k].tensor, pack, value);
        for (int i = 0; i < pack_elements; ++i) {
            const float factor = i < pack.count ? factors[line[i]] : 0.0f;
            const float product = factor * (value[i] - base[i]);
            sum[i] = sum[i] + product;
        }
    }
    for (int i = 0; i < pack_elements; ++i) out[i] = base[i] + sum[i];
}

}  // namespace galapagos::cuda
