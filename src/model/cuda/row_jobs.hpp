// What is done to rows element by element: embeddings, activations, sums, copies.
#pragma once

#include <cstdint>

#include "model/cuda/functions.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/cuda/rank_shares.hpp"
#include "model/cuda/row_chunks.hpp"

namespace galapagos::cuda {

/// The residual stream before the first layer. A rank of several first writes its share, which is
/// zero for ids of other ranks' slices; the sum over the ranks has one term that isn't zero.
template <typename T>
struct EmbedTokens : RowChunks {
    const std::int32_t* tokens = nullptr;
    const T* table = nullptr;  ///< [ids, width]
    std::int64_t first_id = 0;
    std::int64_t ids = 0;
    RankShares shares;           ///< [rows, width] of each rank, instead of a table
    float* own_share = nullptr;  ///< [rows, width]: where this rank's share goes, and nothing else
    T* stream = nullptr;
    float scale = 1;
    const T* positions = nullptr;  ///< learned positions, or null
    const Place* places = nullptr;

    /// The job of some of the rows, whose shares these are.
    EmbedTokens of_rows(const RankShares& of_these, std::int64_t first, std::int64_t count) const {
        EmbedTokens job = *this;
        job.rows = count;
        job.shares = of_these;
        job.tokens += first;
        job.stream += first * width;
        job.places += first;
        return job;
    }
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const EmbedTokens<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t row, const Chunk& chunk, std::int64_t at) {
        float x[chunk_elements] = {};
        const std::int64_t id = job.tokens[row] - job.first_id;
        if (job.shares.values != nullptr)
            load_sum(job.shares, at, chunk.count, x);
        else if (id >= 0 && id < job.ids)
            load_chunk(job.table + id * job.width + chunk.first, chunk.count, x);
        if (job.own_share != nullptr) return store_chunk(x, job.own_share + at, chunk.count);
        float position[chunk_elements] = {};
        if (job.positions != nullptr)
            load_chunk(job.positions + job.places[row].position * job.width + chunk.first,
                       chunk.count, position);
        for (int i = 0; i < chunk_elements; ++i) {
            x[i] = rounded<T>(x[i]);
            if (job.scale != 1.0f) x[i] = rounded<T>(x[i] * job.scale);
            if (job.positions != nullptr) x[i] += position[i];
        }
        store_chunk(x, job.stream + at, chunk.count);
    });
}

/// gate = T(activation(gate)) * up, or without the product if up is null.
template <typename T>
struct Activate : RowChunks {
    Activation activation = Activation::silu;
    T* gate = nullptr;
    const T* up = nullptr;
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const Activate<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t, const Chunk& chunk, std::int64_t at) {
        float gate[chunk_elements], up[chunk_elements] = {};
        load_chunk(job.gate + at, chunk.count, gate);
        if (job.up != nullptr) load_chunk(job.up + at, chunk.count, up);
        for (int i = 0; i < chunk_elements; ++i) {
            gate[i] = activation_of(job.activation, gate[i]);
            if (job.up != nullptr) gate[i] = rounded<T>(gate[i]) * up[i];
        }
        store_chunk(gate, job.gate + at, chunk.count);
    });
}

/// output = a + b.
template <typename T>
struct AddRows : RowChunks {
    const T* a = nullptr;
    const T* b = nullptr;
    T* output = nullptr;
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const AddRows<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t, const Chunk& chunk, std::int64_t at) {
        float a[chunk_elements], b[chunk_elements];
        load_chunk(job.a + at, chunk.count, a);
        load_chunk(job.b + at, chunk.count, b);
        for (int i = 0; i < chunk_elements; ++i) a[i] += b[i];
        store_chunk(a, job.output + at, chunk.count);
    });
}

/// output = T(sum of the shares + bias): the end of a product whose summed dimension lies on
/// several ranks.
template <typename T>
struct RoundSums : RowChunks {
    RankShares shares;
    const T* bias = nullptr;  ///< [width] or null
    T* output = nullptr;
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const RoundSums<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t, const Chunk& chunk, std::int64_t at) {
        float sum[chunk_elements], bias[chunk_elements] = {};
        load_sum(job.shares, at, chunk.count, sum);
        if (job.bias != nullptr) load_chunk(job.bias + chunk.first, chunk.count, bias);
        for (int i = 0; i < chunk_elements; ++i)
            if (job.bias != nullptr) sum[i] += bias[i];
        store_chunk(sum, job.output + at, chunk.count);
    });
}

/// Rows of the input, in another order: output row i is input row sources[i].
template <typename T>
struct GatherRows : RowChunks {
    const T* input = nullptr;
    const std::int32_t* sources = nullptr;
    T* output = nullptr;
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const GatherRows<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t row, const Chunk& chunk, std::int64_t at) {
        float x[chunk_elements];
        load_chunk(job.input + job.sources[row] * job.width + chunk.first, chunk.count, x);
        store_chunk(x, job.output + at, chunk.count);
    });
}

/// Logits as others may read them: capped, in fp32.
template <typename T>
struct WidenLogits : RowChunks {
    const T* logits = nullptr;
    float softcap = 0;
    float* output = nullptr;
};

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const WidenLogits<T>& job, const Block& block) {
    each_row_chunk(job, block, [&](std::int64_t, const Chunk& chunk, std::int64_t at) {
        float x[chunk_elements];
        load_chunk(job.logits + at, chunk.count, x);
        for (int i = 0; i < chunk_elements; ++i) x[i] = soft_capped<T>(x[i], job.softcap);
        store_chunk(x, job.output + at, chunk.count);
    });
}

}  // namespace galapagos::cuda
