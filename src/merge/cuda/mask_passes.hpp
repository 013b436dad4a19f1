// L1 norms of randomly thinned task vectors: a thread makes a counter's random words and takes the
// eight elements that they decide on.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/mask_tile.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

/// Two neighbouring elements of a run, the first of an even number, in one load where they lie
/// well; the second is not read where it is beyond the entry.
GALAPAGOS_HOST_DEVICE inline void load_pair(const DeviceJob& job, const DeviceTensor& tensor,
                                            std::int64_t element, float (&values)[2]) {
    const bool both = element + 1 < job.count;
    const std::int64_t at = job.runs.local(element);
    if (job.side_by_side && both && tensor.dtype != DType::f32) {
        const std::uint32_t pair = load_word(tensor.data + at * bytes_of(tensor.dtype));
        values[0] = decode(pair & 0xFFFFu, tensor.dtype);
        values[1] = decode(pair >> 16, tensor.dtype);
        return;
    }
    values[0] = load_element(job, tensor, at);
    values[1] = both ? load_element(job, tensor, at + 1) : 0.0f;
}

/// The same element by element, of runs that don't consist of tiles.
template <typename Visit>
GALAPAGOS_HOST_DEVICE void for_each_word_alone(const DeviceJob& tensors, const MaskKey& mask,
                                               const TensorChunk& chunk, int thread, int threads,
                                               const Visit& visit) {
    for (std::int64_t element = chunk.begin + thread; element < chunk.end; element += threads) {
        const std::int64_t at = tensors.runs.local(element);
        const float base = load_element(tensors, tensors.base, at);
        const float value = load_element(tensors, tensors.inputs[0].tensor, at);
        visit(bits_of(value - base) & magnitude_bits, element,
              word_of_element(mask, tensors.runs.global(element)));
    }
}

/// Calls visit(key, element, random word) for a thread's elements of a chunk.
template <typename Visit>
GALAPAGOS_HOST_DEVICE void for_each_word(const StatisticJob& job, const TensorChunk& chunk,
                                         int thread, int threads, const Visit& visit) {
    const DeviceJob& tensors = job.tensors;
    const MaskKey mask = mask_key(tensors.seed, tensors.name_hash, tensors.inputs[0].position);
    if (!tensors.whole_tiles)
        return for_each_word_alone(tensors, mask, chunk, thread, threads, visit);
    for (std::int64_t i = thread;; i += threads) {
        const std::int64_t tile = chunk.begin + i / mask_lanes * mask_tile;
        if (tile >= chunk.end) return;
        const int lane = static_cast<int>(i % mask_lanes);
        const MaskWords words = mask_words_of(mask, mask_counter(tensors.runs.global(tile), lane));
        for (int w = 0; w < 4; ++w) {
            const std::int64_t element = tile + 2 * (w * mask_lanes + lane);
            if (element >= chunk.end) continue;
            float base[2], value[2];
            load_pair(tensors, tensors.base, element, base);
            load_pair(tensors, tensors.inputs[0].tensor, element, value);
            for (int half = 0; half < 2; ++half)
                if (element + half < chunk.end)
                    visit(bits_of(value[half] - base[half]) & magnitude_bits, element + half,
                          half_word(chosen(words, w), half));
        }
    }
}

/// A sum for each level, in halves as of KeyCounts.
struct LevelSums {
    struct Shared {
        std::uint32_t lower[probability_levels];
        std::uint32_t upper[probability_levels];
    };

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        block.each([&](int thread) {
            for (std::uint32_t i = static_cast<std::uint32_t>(thread); i < probability_levels;
                 i += Block::threads)
                shared.lower[i] = shared.upper[i] = 0;
        });
        block.each([&](int thread) {
            for_each_word(job, delta_chunk_of(job, item * delta_chunk), thread, Block::threads,
                          [&](std::uint32_t key, std::int64_t, RandomWord word) {
                              const std::uint32_t units = units_of(key, job.scale);
                              const std::uint32_t level = word >> (16 - probability_bits);
                              add_to(shared.lower[level], units & 0xFFFFu);
                              add_to(shared.upper[level], units >> 16);
                          });
        });
        block.each([&](int thread) {
            for (std::uint32_t i = static_cast<std::uint32_t>(thread); i < probability_levels;
                 i += Block::threads) {
                const std::uint64_t sum = (std::uint64_t{shared.upper[i]} << 16) + shared.lower[i];
                if (sum > 0) add_to(job.totals[i], sum);
            }
        });
    }
};

/// The norms before and after thinning by rank.
struct ThinnedSums {
    struct Shared {
        std::uint64_t total;
        std::uint64_t kept;
    };

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        block.each([&](int thread) {
            if (thread == 0) shared.total = shared.kept = 0;
        });
        block.each([&](int thread) {
            const DeviceInput& input = job.tensors.inputs[0];
            std::uint64_t total = 0, kept = 0;
            const auto rank_of = [&](std::int64_t element) {
                return input.ranks[job.tensors.runs.local(element)];
            };
            for_each_word(job, delta_chunk_of(job, item * delta_chunk), thread, Block::threads,
                          [&](std::uint32_t key, std::int64_t element, RandomWord word) {
                              const std::uint32_t units = units_of(key, job.scale);
                              total += units;
                              kept +=
                                  is_kept(word, rank_limit(input, rank_of(element))) ? units : 0u;
                          });
            add_to(shared.total, total);
            add_to(shared.kept, kept);
        });
        block.each([&](int thread) {
            if (thread != 0) return;
            add_to(job.totals[0], shared.total);
            add_to(job.totals[1], shared.kept);
        });
    }
};

}  // namespace galapagos::cuda
