// What happens to the residual stream between two products, in one kernel: scale, sum and norm.
#pragma once

#include <cmath>
#include <cstdint>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"

namespace galapagos::cuda {

/// What a layer path's scale multiplies before the norm.
enum class Scaled { nothing, delta, stream };

/// residual += delta (unless that is null), normed = norm(residual), a block a row. normed may be
/// residual.
template <typename T>
struct NormRows {
    static constexpr int threads = 256;

    T* residual = nullptr;
    const T* delta = nullptr;
    T* normed = nullptr;
    Norm<T> norm;
    std::int64_t rows = 0;
    std::int64_t width = 0;
    Scaled scaled = Scaled::nothing;  ///< delta: before the sum; stream: after it
    float scale = 1;

    std::int64_t blocks() const { return rows; }
    int shared_floats() const { return sum_floats(threads); }
};

/// A normed element before it is rounded.
template <typename T>
GALAPAGOS_HOST_DEVICE inline float normed_element(NormKind kind, float x, float mean, float scale,
                                                  float weight, float bias) {
    switch (kind) {
        case NormKind::rms:
            return weight * rounded<T>(x * scale);
        case NormKind::rms_plus_one:
            return (x * scale) * (1.0f + weight);
        case NormKind::layer:
            return (x - mean) * scale * weight + bias;
    }
    return x;
}

GALAPAGOS_HOST_DEVICE inline float norm_scale(float square_sum, std::int64_t width, float epsilon) {
    return 1.0f / sqrtf(square_sum / static_cast<float>(width) + epsilon);
}

/// Brings a chunk of the stream up to date.
template <typename T>
GALAPAGOS_HOST_DEVICE inline void renew(const NormRows<T>& job, std::int64_t at, int count,
                                        float (&stream)[chunk_elements]) {
    load_chunk(job.residual + at, count, stream);
    if (job.delta == nullptr && job.scaled == Scaled::nothing) return;
    float delta[chunk_elements] = {};
    if (job.delta != nullptr) load_chunk(job.delta + at, count, delta);
    for (int i = 0; i < chunk_elements; ++i) {
        if (job.scaled == Scaled::delta) delta[i] = rounded<T>(delta[i] * job.scale);
        if (job.delta != nullptr) stream[i] = rounded<T>(stream[i] + delta[i]);
        if (job.scaled == Scaled::stream) stream[i] = rounded<T>(stream[i] * job.scale);
    }
    store_chunk(stream, job.residual + at, count);
}

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const NormRows<T>& job, const Block& block) {
    constexpr int threads = NormRows<T>::threads;
    const std::int64_t row = block.index() * job.width;
    const std::int64_t chunks = chunks_of(job.width);
    const bool centred = job.norm.kind == NormKind::layer;
    float* const terms = block.shared();
    float mean = 0;  // the same for all threads

    block.each([&](int thread) {
        float sum = 0;
        for (std::int64_t number = thread; number < chunks; number += threads) {
            const Chunk chunk = chunk_at(number, job.width);
            float x[chunk_elements];
            renew(job, row + chunk.first, chunk.count, x);
            for (int i = 0; i < chunk_elements; ++i)
                sum = centred ? sum + x[i] : multiply_add(x[i], x[i], sum);
        }
        terms[thread] = sum;
    });
    add_terms<threads>(block, terms);

    if (centred) {
        block.each([&](int thread) {
            mean = total<threads>(terms) / static_cast<float>(job.width);
            float sum = 0;
            for (std::int64_t number = thread; number < chunks; number += threads) {
                const Chunk chunk = chunk_at(number, job.width);
                float x[chunk_elements];
                load_chunk(job.residual + row + chunk.first, chunk.count, x);
                for (int i = 0; i < chunk_elements; ++i)
                    if (i < chunk.count) sum = multiply_add(x[i] - mean, x[i] - mean, sum);
            }
            terms[thread] = sum;
        });
        add_terms<threads>(block, terms);
    }

    block.each([&](int thread) {
        const float scale = norm_scale(total<threads>(terms), job.width, job.norm.epsilon);
        for (std::int64_t number = thread; number < chunks; number += threads) {
            const Chunk chunk = chunk_at(number, job.width);
            float x[chunk_elements], weight[chunk_elements], bias[chunk_elements] = {};
            load_chunk(job.residual + row + chunk.first, chunk.count, x);
            load_chunk(job.norm.weight + chunk.first, chunk.count, weight);
            if (centred) load_chunk(job.norm.bias + chunk.first, chunk.count, bias);
            for (int i = 0; i < chunk_elements; ++i)
                x[i] = normed_element<T>(job.norm.kind, x[i], mean, scale, weight[i], bias[i]);
            store_chunk(x, job.normed + row + chunk.first, chunk.count);
        }
    });
}

}  // namespace galapagos::cuda
