// What SCE and RAM want to know of the changes of all models, with the bits that merge/sce.cpp and
// merge/ram.cpp give.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/product_passes.hpp"
#include "merge/cuda/sce.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

/// Sums of the squares of each input's selected changes, a chunk of row_length elements to a block.
/// As the CPU does, blocks of 1024 elements are added up for themselves, in eight sums that are
/// then added one after the other.
struct ChangeSquares {
    static constexpr int tile = 512;
    static_assert(block_elements % tile == 0);

    struct Shared {
        float values[most_inputs * tile];
        double block[most_inputs * product_lanes];
        double sums[most_inputs];
    };

    GALAPAGOS_HOST_DEVICE static void load_selected(const DeviceJob& job, std::int64_t begin,
                                                    std::int64_t count, int thread, int threads,
                                                    float* values) {
        const int packs = static_cast<int>((count + pack_elements - 1) / pack_elements);
        for (int at = thread; at < packs; at += threads) {
            const Pack pack = pack_at(begin, count, at);
            float base[pack_elements], value[pack_elements];
            load_pack(job, job.base, pack, base);
            const std::uint32_t kept = job.selects ? select(job, pack, base) : ~0u;
            for (int k = 0; k < job.input_count; ++k) {
                load_pack(job, job.inputs[k].tensor, pack, value);
                for (int e = 0; e < pack_elements; ++e)
                    if (e < pack.count)
                        values[k * tile + at * pack_elements + e] =
                            (kept >> e & 1u) != 0 ? value[e] - base[e] : 0.0f;
            }
        }
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        const int inputs = job.tensors.input_count;
        const std::int64_t begin = item * job.row_length;
        const std::int64_t left = job.tensors.count - begin;
        const std::int64_t length = left < job.row_length ? left : job.row_length;
        block.each([&](int thread) {
            for (int k = thread; k < inputs; k += Block::threads) shared.sums[k] = 0;
        });
        for (std::int64_t at = 0; at < length; at += tile) {
            const std::int64_t count = length - at < tile ? length - at : tile;
            const bool ends = at + count == length || (at + tile) % block_elements == 0;
            block.each([&](int thread) {
                load_selected(job.tensors, begin + at, count, thread, Block::threads,
                              shared.values);
            });
            block.each([&](int thread) {
                for (int i = thread; i < inputs * product_lanes; i += Block::threads) {
                    const float* x = shared.values + i / product_lanes * tile;
                    double own = at % block_elements == 0 ? 0.0 : shared.block[i];
                    for (int e = i % product_lanes; e < count; e += product_lanes)
                        own += static_cast<double>(x[e]) * static_cast<double>(x[e]);
                    shared.block[i] = own;
                }
            });
            block.each([&](int thread) {
                if (!ends) return;
                for (int k = thread; k < inputs; k += Block::threads)
                    for (int lane = 0; lane < product_lanes; ++lane)
                        shared.sums[k] += shared.block[k * product_lanes + lane];
            });
        }
        block.each([&](int thread) {
            for (int k = thread; k < inputs; k += Block::threads)
                job.sums[item * inputs + k] = shared.sums[k];
        });
    }
};

/// Changes that an input shares with others, and those that it alone has.
struct ChangeCounts {
    struct Shared {
        std::uint32_t shared[most_inputs];
        std::uint32_t alone[most_inputs];
    };

    /// One bit for each element of a pack that an input has changed.
    GALAPAGOS_HOST_DEVICE static std::uint32_t changed(const DeviceJob& job, int k,
                                                       const Pack& pack,
                                                       const float (&base)[pack_elements]) {
        float value[pack_elements];
        load_pack(job, job.inputs[k].tensor, pack, value);
        std::uint32_t bits = 0;
        for (int i = 0; i < pack_elements; ++i)
            if (i < pack.count && magnitude_of(value[i] - base[i]) > job.epsilon) bits |= 1u << i;
        return bits;
    }

    GALAPAGOS_HOST_DEVICE static std::uint32_t ones(std::uint32_t bits) {
        std::uint32_t count = 0;
        for (; bits != 0; bits &= bits - 1) ++count;
        return count;
    }

    /// Reads the inputs twice, the second time from the cache.
    GALAPAGOS_HOST_DEVICE static void count_pack(const DeviceJob& job, const Pack& pack,
                                                 Shared& counts) {
        float base[pack_elements];
        load_pack(job, job.base, pack, base);
        std::uint32_t once = 0, again = 0;  // changed by one input at least, by two at least
        for (int k = 0; k < job.input_count; ++k) {
            const std::uint32_t bits = changed(job, k, pack, base);
            again |= once & bits;
            once |= bits;
        }
        for (int k = 0; k < job.input_count; ++k) {
            const std::uint32_t bits = changed(job, k, pack, base);
            if ((bits & again) != 0) add_to(counts.shared[k], ones(bits & again));
            if ((bits & ~again) != 0) add_to(counts.alone[k], ones(bits & ~again));
        }
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& counts) {
        block.each([&](int thread) {
            for (int k = thread; k < most_inputs; k += Block::threads)
                counts.shared[k] = counts.alone[k] = 0;
        });
        block.each([&](int thread) {
            for_each_pack(delta_chunk_of(job, item * delta_chunk), thread, Block::threads,
                          [&](const Pack& pack) { count_pack(job.tensors, pack, counts); });
        });
        block.each([&](int thread) {
            for (int k = thread; k < job.tensors.input_count; k += Block::threads) {
                add_to(job.totals[2 * k], std::uint64_t{counts.shared[k]});
                add_to(job.totals[2 * k + 1], std::uint64_t{counts.alone[k]});
            }
        });
    }
};

}  // namespace galapagos::cuda
