// A mixture of experts: the router's choice becomes a table of weights, by which the experts'
// answers are added up.
#pragma once

#include <cstdint>

#include "model/cuda/functions.hpp"
#include "model/cuda/row_chunks.hpp"

namespace galapagos::cuda {

/// The weight of an expert that a row did not choose.
inline constexpr float not_chosen = -1.0f;

/// Softmax over all experts in fp32, the most probable ones kept, their weights made to sum to 1. A
/// thread takes a row. Among equals the lower number wins.
template <typename T>
struct ChooseExperts {
    static constexpr int threads = 128;

    const T* logits = nullptr;  ///< [rows, experts]
    float* weights = nullptr;   ///< [rows, experts]
    std::int64_t rows = 0;
    int experts = 0;
    int chosen = 0;

    std::int64_t blocks() const { return (rows + threads - 1) / threads; }
    int shared_floats() const { return 0; }
};

template <typename T>
GALAPAGOS_HOST_DEVICE inline void choose_for_row(const ChooseExperts<T>& job, std::int64_t row) {
    const T* logits = job.logits + row * job.experts;
    float* weights = job.weights + row * job.experts;
    float maximum = widen(logits[0]);
    for (int e = 1; e < job.experts; ++e)
        maximum = widen(logits[e]) > maximum ? widen(logits[e]) : maximum;
    for (int e = 0; e < job.experts; ++e) weights[e] = not_chosen;
    float sum = 0;
    for (int i = 0; i < job.chosen; ++i) {
        int best = -1;
        float highest = 0;
        for (int e = 0; e < job.experts; ++e) {
            if (weights[e] != not_chosen) continue;
            const float weight = exponential(widen(logits[e]) - maximum);
            if (best >= 0 && !(weight > highest)) continue;
            best = e;
            highest = weight;
        }
        weights[best] = highest;
        sum += highest;
    }
    for (int e = 0; e < job.experts; ++e)
        if (weights[e] != not_chosen) weights[e] /= sum;
}

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const ChooseExperts<T>& job, const Block& block) {
    block.each([&](int thread) {
        const std::int64_t row = block.index() * ChooseExperts<T>::threads + thread;
        if (row < job.rows) choose_for_row(job, row);
    });
}

struct ClearSums : RowChunks {
    float* sums = nullptr;
};

template <typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const ClearSums& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t, const Chunk& chunk, std::int64_t at) {
        const float zeros[chunk_elements] = {};
        store_chunk(zeros, job.sums + at, chunk.count);
    });
}

/// sums += weight * answers for the rows that chose the expert.
struct AddExpert : RowChunks {
    const float* answers = nullptr;        ///< [rows, width]
    const std::int32_t* places = nullptr;  ///< [rows]: whose answers these are; null: in order
    const float* weights = nullptr;        ///< [all rows, experts]
    int expert = 0;
    int experts = 0;
    float* sums = nullptr;  ///< [all rows, width]
};

template <typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const AddExpert& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t row, const Chunk& chunk, std::int64_t at) {
        const std::int64_t place = job.places != nullptr ? job.places[row] : row;
        const float weight = job.weights[place * job.experts + job.expert];
        if (weight == not_chosen) return;
        float* const sums = job.sums + place * job.width + chunk.first;
        float sum[chunk_elements], answer[chunk_elements];
        load_chunk(sums, chunk.count, sum);
        load_chunk(job.answers + at, chunk.count, answer);
        for (int i = 0; i < chunk_elements; ++i) sum[i] += weight * answer[i];
        store_chunk(sum, sums, chunk.count);
    });
}

}  // namespace galapagos::cuda
