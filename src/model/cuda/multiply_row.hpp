// Matrix products of a single row. Nothing is left to share out but the reading of the weights,
// which is all that such a product takes: products for many rows bring matrix units and split sums
// along, and read more slowly for it.
#pragma once

#include <cstdint>
#include <span>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"
#include "model/cuda/tile_products.hpp"
#include "model/linear.hpp"

namespace galapagos::cuda {

/// Products with the same input, [in]: output = T(input * weight^T + bias), [out].
template <typename T>
struct MultiplyRow {
    static constexpr int threads = 256;
    /// Threads that share an output.
    static constexpr int lanes = warp_threads;
    static constexpr int outputs = threads / lanes;  ///< of a block
    static constexpr int most_products = 3;

    struct Part {
        const T* weight;
        const T* bias;
        T* output;
        std::int64_t out;

        GALAPAGOS_HOST_DEVICE std::int64_t blocks() const { return (out + outputs - 1) / outputs; }
    };

    const T* input = nullptr;
    std::int64_t in = 0;
    Part parts[most_products] = {};

    MultiplyRow(const T* row, std::span<const Product<T>> products) : input(row) {
        for (std::size_t i = 0; i < products.size(); ++i) {
            const auto& [layer, output] = products[i];
            in = layer.in;
            parts[i] = {layer.weight, layer.bias, output, layer.out};
        }
    }

    /// Whether there is such a job.
    static bool takes(std::int64_t rows, std::span<const Product<T>> products) {
        return rows == 1 && products.size() <= most_products && !products.front().layer.transposed;
    }

    std::int64_t blocks() const {
        std::int64_t sum = 0;
        for (const Part& part : parts) sum += part.blocks();
        return sum;
    }
    int shared_floats() const { return threads / quad_threads; }
};

/// A thread's part of the product of two vectors. Several loads are under way at once where the
/// elements lie at multiples of sixteen bytes.
template <typename T>
GALAPAGOS_HOST_DEVICE inline float dot_of_lane(const T* a, const T* b, std::int64_t count,
                                               int lane) {
    constexpr int at_once = 4, lanes = MultiplyRow<T>::lanes;
    const std::int64_t chunks = chunks_of(count);
    float sum = 0, x[chunk_elements], y[chunk_elements];
    const auto add = [&] {
        for (int i = 0; i < chunk_elements; ++i) sum = multiply_add(x[i], y[i], sum);
    };
    std::int64_t number = lane;
    if (count % chunk_elements == 0 && whole_vectors(a, chunk_elements) &&
        whole_vectors(b, chunk_elements))
        for (; number + (at_once - 1) * lanes < chunks; number += at_once * lanes) {
            RawChunk<T> raw_a[at_once], raw_b[at_once];
            for (int i = 0; i < at_once; ++i) {
                raw_a[i] = load_raw(a + (number + i * lanes) * chunk_elements);
                raw_b[i] = load_raw(b + (number + i * lanes) * chunk_elements);
            }
            for (int i = 0; i < at_once; ++i) {
                widen_raw(raw_a[i], x);
                widen_raw(raw_b[i], y);
                add();
            }
        }
    for (; number < chunks; number += lanes) {
        const Chunk chunk = chunk_at(number, count);
        load_chunk(a + chunk.first, chunk.count, x);
        load_chunk(b + chunk.first, chunk.count, y);
        add();
    }
    return sum;
}

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const MultiplyRow<T>& job, const Block& block) {
    using Job = MultiplyRow<T>;
    std::int64_t first = block.index();
    typename Job::Part part = job.parts[0];
    GALAPAGOS_UNROLL
    for (int next = 1; next < Job::most_products; ++next) {
        if (first < part.blocks()) break;
        first -= part.blocks();
        part = job.parts[next];
    }
    const auto output_of = [&](int thread) { return first * Job::outputs + thread / Job::lanes; };
    float* const of_quads = block.shared();

    typename Block::template Own<OfQuad> sums;
    block.alone([&](int thread) {
        const std::int64_t output = output_of(thread);
        sums[thread].of[0] = output < part.out ? dot_of_lane(part.weight + output * job.in,
                                                             job.input, job.in, thread % Job::lanes)
                                               : 0.0f;
    });
    block.across_quads(sums, [](float a, float b) { return a + b; });
    block.each([&](int thread) {
        if (thread % quad_threads == 0) of_quads[thread / quad_threads] = sums[thread].of[0];
    });
    block.each([&](int thread) {
        const std::int64_t output = output_of(thread);
        if (thread % Job::lanes != 0 || output >= part.out) return;
        float sum = of_quads[thread / quad_threads];
        for (int i = 1; i < Job::lanes / quad_threads; ++i)
            sum += of_quads[thread / quad_threads + i];
        if (part.bias != nullptr) sum += widen(part.bias[output]);
        part.output[output] = narrow<T>(sum);
    });
}

}  // namespace galapagos::cuda
