// Attention of long rows: what several blocks found in their stretches of the positions, put
// together.
#pragma once

#include <cstdint>

#include "model/cuda/attend.hpp"
#include "model/cuda/row_chunks.hpp"

namespace galapagos::cuda {

/// After the same job as Attend. With one stretch a row's output has the bits that Attend gives it.
template <typename T>
struct JoinStretches : RowChunks {
    AttendTokens<T> attended;

    explicit JoinStretches(const AttendTokens<T>& job)
        : RowChunks{job.tokens * job.query_heads, job.head_dim}, attended(job) {}
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const JoinStretches<T>& job, const Block& block) {
    const AttendTokens<T>& attended = job.attended;
    const Stretches& stretches = attended.stretches;
    each_row_chunk(job, block, [&](std::int64_t row, const Chunk& chunk, std::int64_t at) {
        const std::int64_t token = attended.first_token + row / attended.query_heads;
        const Visible positions = visible_at(attended, attended.places[token]);
        const auto count = static_cast<int>(
            (positions.end - positions.begin + stretches.length - 1) / stretches.length);
        const std::int64_t first = row * stretches.count;
        float maximum = stretches.maxima[first];
        for (int i = 1; i < count; ++i) {
            const float other = stretches.maxima[first + i];
            maximum = other > maximum ? other : maximum;
        }
        float normaliser = 0, sums[chunk_elements] = {};
        for (int i = 0; i < count; ++i) {
            const float weight = exponential(stretches.maxima[first + i] - maximum);
            normaliser = multiply_add(weight, stretches.normalisers[first + i], normaliser);
            float part[chunk_elements];
            load_chunk(stretches.sums + (first + i) * job.width + chunk.first, chunk.count, part);
            for (int d = 0; d < chunk_elements; ++d)
                sums[d] = multiply_add(weight, part[d], sums[d]);
        }
        for (float& sum : sums) sum /= normaliser;
        store_chunk(sums,
                    attended.output + attended.first_token * attended.query_heads * job.width + at,
                    chunk.count);
    });
}

}  // namespace galapagos::cuda
