// Scalar products in fp64, with the bits that merge/gram.cpp gives: eight sums a pair of vectors,
// element i in sum i mod 8, each sum by one thread in the order of the elements.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/pack.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

inline constexpr int product_lanes = 8;

GALAPAGOS_HOST_DEVICE constexpr int pairs_of(int vectors) { return vectors * (vectors + 1) / 2; }

/// A pair of vectors by its number, as Gram numbers them.
struct VectorPair {
    int i, j;
};
GALAPAGOS_HOST_DEVICE inline VectorPair vector_pair(int number) {
    int j = 0;
    while (pairs_of(j + 1) <= number) ++j;
    return {number - pairs_of(j), j};
}

/// Pack number `at` of a range that begins at `begin`, a multiple of pack_elements where wide loads
/// are allowed.
GALAPAGOS_HOST_DEVICE inline Pack pack_at(std::int64_t begin, std::int64_t count, int at) {
    const std::int64_t left = count - at * pack_elements;
    return {begin + at * pack_elements,
            static_cast<int>(left < pack_elements ? left : pack_elements)};
}

/// A thread's part of loading elements [begin, begin + count) of all inputs, less the base if there
/// is one: input k's begin at values[k * stride].
GALAPAGOS_HOST_DEVICE inline void load_vectors_of(const DeviceJob& job, std::int64_t begin,
                                                  std::int64_t count, int thread, int threads,
                                                  int stride, float* values) {
    const int packs = static_cast<int>((count + pack_elements - 1) / pack_elements);
    for (int i = thread; i < packs * job.input_count; i += threads) {
        const int k = i / packs, at = i % packs;
        const Pack pack = pack_at(begin, count, at);
        float value[pack_elements], base[pack_elements] = {};
        load_pack(job, job.inputs[k].tensor, pack, value);
        if (job.base.data != nullptr) load_pack(job, job.base, pack, base);
        for (int e = 0; e < pack_elements; ++e)
            if (e < pack.count)
                values[k * stride + at * pack_elements + e] =
                    job.base.data != nullptr ? value[e] - base[e] : value[e];
    }
}

/// ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7))
GALAPAGOS_HOST_DEVICE inline double total_of(const double* lanes) {
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/// Products of runs of row_length elements: rows, or the chunks of a whole tensor. As the CPU does,
/// blocks of 1024 elements are added up for themselves.
struct RunProducts {
    static constexpr int tile = 256, most_pairs = pairs_of(most_inputs);
    static_assert(block_elements % tile == 0);

    struct Shared {
        float values[most_inputs * tile];
        double block[most_pairs * product_lanes];
        double sums[most_pairs * product_lanes];
    };

    /// Adds a tile's products to one of the eight sums of a pair.
    GALAPAGOS_HOST_DEVICE static void add_tile(int sum, std::int64_t count, bool begins, bool ends,
                                               Shared& shared) {
        const VectorPair pair = vector_pair(sum / product_lanes);
        const float* a = shared.values + pair.i * tile;
        const float* b = shared.values + pair.j * tile;
        double own = begins ? 0.0 : shared.block[sum];
        for (int e = sum % product_lanes; e < count; e += product_lanes)
            own += static_cast<double>(a[e]) * static_cast<double>(b[e]);
        shared.block[sum] = own;
        if (ends) shared.sums[sum] += own;
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        const int pairs = pairs_of(job.tensors.input_count);
        const std::int64_t begin = item * job.row_length;
        const std::int64_t left = job.tensors.count - begin;
        const std::int64_t length = left < job.row_length ? left : job.row_length;
        block.each([&](int thread) {
            for (int i = thread; i < pairs * product_lanes; i += Block::threads) shared.sums[i] = 0;
        });
        for (std::int64_t at = 0; at < length; at += tile) {
            const std::int64_t count = length - at < tile ? length - at : tile;
            block.each([&](int thread) {
                load_vectors_of(job.tensors, begin + at, count, thread, Block::threads, tile,
                                shared.values);
            });
            block.each([&](int thread) {
                const bool ends = at + count == length || (at + tile) % block_elements == 0;
                for (int i = thread; i < pairs * product_lanes; i += Block::threads)
                    add_tile(i, count, at % block_elements == 0, ends, shared);
            });
        }
        block.each([&](int thread) {
            for (int i = thread; i < pairs; i += Block::threads)
                job.sums[item * pairs + i] = total_of(shared.sums + i * product_lanes);
        });
    }
};

/// Products of columns, of row_length there are: each is one thread's, from the first row to the
/// last. Neighbouring threads have neighbouring columns.
struct ColumnProducts {
    static constexpr std::int64_t at_once = most_block_threads;  ///< products of an item

    struct Shared {};

    GALAPAGOS_HOST_DEVICE static double load(const DeviceJob& job, int k, std::int64_t element) {
        const float value = load_element(job, job.inputs[k].tensor, element);
        if (job.base.data == nullptr) return value;
        return value - load_element(job, job.base, element);
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared&) {
        const int pairs = pairs_of(job.tensors.input_count);
        const std::int64_t columns = job.row_length, products = columns * pairs;
        const std::int64_t begin = item * at_once;
        const std::int64_t end = begin + at_once < products ? begin + at_once : products;
        block.each([&](int thread) {
            for (std::int64_t number = begin + thread; number < end; number += Block::threads) {
                const int p = static_cast<int>(number / columns);
                const std::int64_t column = number % columns;
                const VectorPair pair = vector_pair(p);
                double sum = 0;
                for (std::int64_t e = column; e < job.tensors.count; e += columns)
                    sum += load(job.tensors, pair.i, e) * load(job.tensors, pair.j, e);
                job.sums[column * pairs + p] = sum;
            }
        });
    }
};

}  // namespace galapagos::cuda
