// Arcee Fusion's divergences, a row to a block, with the bits that merge/arcee_fusion.cpp gives.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/product_passes.hpp"
#include "merge/cuda/statistic_job.hpp"
#include "merge/vector_math.hpp"

namespace galapagos::cuda {

struct RowDivergences {
    static constexpr int tile = 512, models = 2;  ///< the other model, and the base

    struct Shared {
        float maxima[models][most_block_threads];
        double values[models][tile];
        double lanes[models][product_lanes];
        double divisors[models];  ///< one over the sums of the exponentials
    };

    GALAPAGOS_HOST_DEVICE static const DeviceTensor& tensor(const DeviceJob& job, int model) {
        return model == 0 ? job.inputs[0].tensor : job.base;
    }

    /// Calls visit(model, place in the tile, value) for a thread's part of a tile.
    template <typename Visit>
    GALAPAGOS_HOST_DEVICE static void for_each_value(const DeviceJob& job, std::int64_t begin,
                                                     std::int64_t count, int thread, int threads,
                                                     const Visit& visit) {
        const int packs = static_cast<int>((count + pack_elements - 1) / pack_elements);
        for (int i = thread; i < packs * models; i += threads) {
            const int model = i / packs, at = i % packs;
            const Pack pack = pack_at(begin, count, at);
            float value[pack_elements];
            load_pack(job, tensor(job, model), pack, value);
            for (int e = 0; e < pack_elements; ++e)
                if (e < pack.count) visit(model, at * pack_elements + e, value[e]);
        }
    }

    /// e to every value less its row's largest.
    GALAPAGOS_HOST_DEVICE static void exponentiate(const DeviceJob& job, std::int64_t begin,
                                                   std::int64_t count, int thread, int threads,
                                                   Shared& shared) {
        for_each_value(job, begin, count, thread, threads, [&](int model, int place, float value) {
            shared.values[model][place] = exp_of_negative(
                static_cast<double>(value) - static_cast<double>(shared.maxima[model][0]));
        });
    }

    /// A tile's numbers of the first `rows` rows of `values`, each of the eight sums by one thread.
    GALAPAGOS_HOST_DEVICE static void add_tile(int rows, std::int64_t count, int thread,
                                               int threads, Shared& shared) {
        for (int i = thread; i < rows * product_lanes; i += threads) {
            const int row = i / product_lanes, lane = i % product_lanes;
            double own = shared.lanes[row][lane];
            for (int e = lane; e < count; e += product_lanes) own += shared.values[row][e];
            shared.lanes[row][lane] = own;
        }
    }

    GALAPAGOS_HOST_DEVICE static double sum_of(const double* lanes) {
        return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
               ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    }

    GALAPAGOS_HOST_DEVICE static double term(double p, double q) {
        constexpr double smallest = 1e-8;
        const double here = p + smallest;
        return here * log_of_positive(here / (q + smallest));
    }

    /// Ends with both rows' largest values in the first of `maxima`.
    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void find_maxima(const Block& block, const StatisticJob& job,
                                                  std::int64_t begin, Shared& shared) {
        block.each([&](int thread) {
            float of_other = float_of(0xFF800000u), of_base = of_other;  // less than all values
            for (std::int64_t at = 0; at < job.row_length; at += tile) {
                const std::int64_t left = job.row_length - at;
                for_each_value(job.tensors, begin + at, left < tile ? left : tile, thread,
                               Block::threads, [&](int model, int, float value) {
                                   if (model == 0)
                                       of_other = of_other < value ? value : of_other;
                                   else
                                       of_base = of_base < value ? value : of_base;
                               });
            }
            shared.maxima[0][thread] = of_other;
            shared.maxima[1][thread] = of_base;
        });
        block.each([&](int thread) {
            if (thread >= models) return;
            float largest = shared.maxima[thread][0];
            for (int i = 1; i < Block::threads; ++i)
                largest = largest < shared.maxima[thread][i] ? shared.maxima[thread][i] : largest;
            shared.maxima[thread][0] = largest;
        });
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void clear_lanes(const Block& block, Shared& shared) {
        block.each([&](int thread) {
            for (int i = thread; i < models * product_lanes; i += Block::threads)
                shared.lanes[i / product_lanes][i % product_lanes] = 0;
        });
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        const std::int64_t begin = item * job.row_length;
        find_maxima(block, job, begin, shared);
        // First the sums of the exponentials, then the divergence's terms.
        for (int round = 0; round < 2; ++round) {
            const bool sums = round == 0;
            clear_lanes(block, shared);
            for (std::int64_t at = 0; at < job.row_length; at += tile) {
                const std::int64_t left = job.row_length - at;
                const std::int64_t count = left < tile ? left : tile;
                block.each([&](int thread) {
                    exponentiate(job.tensors, begin + at, count, thread, Block::threads, shared);
                });
                if (!sums)
                    block.each([&](int thread) {
                        for (std::int64_t e = thread; e < count; e += Block::threads)
                            shared.values[0][e] = term(shared.values[0][e] * shared.divisors[0],
                                                       shared.values[1][e] * shared.divisors[1]);
                    });
                block.each([&](int thread) {
                    add_tile(sums ? models : 1, count, thread, Block::threads, shared);
                });
            }
            block.each([&](int thread) {
                if (sums && thread < models)
                    shared.divisors[thread] = 1 / sum_of(shared.lanes[thread]);
                if (sums || thread != 0) return;
                const double found = sum_of(shared.lanes[0]);
                job.divergences[item] = static_cast<float>(found < 0 ? 0.0 : found);
            });
        }
    }
};

}  // namespace galapagos::cuda
