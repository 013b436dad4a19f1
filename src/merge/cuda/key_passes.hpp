// Counting, finding and collecting keys: what a block does with a chunk.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/keys.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

struct LargestMagnitude {
    struct Shared {
        std::uint32_t largest;
    };

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        block.each([&](int thread) {
            if (thread == 0) shared.largest = 0;
        });
        block.each([&](int thread) {
            std::uint32_t own = 0;
            for_each_pack(delta_chunk_of(job, item * delta_chunk), thread, Block::threads,
                          [&](const Pack& pack) {
                              for_each_key<DeltaKeys>(job, pack,
                                                      [&](std::uint32_t key, std::int64_t) {
                                                          own = key > own ? key : own;
                                                      });
                          });
            raise_to(shared.largest, own);
        });
        block.each([&](int thread) {
            if (thread == 0) raise_to(*job.largest, shared.largest);
        });
    }
};

/// Counters of single buckets in shared memory: a bucket has its place if no other took it before.
/// The rest, and after each chunk the sums, go to the counters in device memory. Zeros are counted
/// apart: they are often a large part of a task vector.
template <typename Keys>
struct KeyCounts {
    static constexpr std::uint32_t places = 2048;
    static constexpr std::uint32_t no_bucket = ~0u;
    // Sums of up to 2^15 numbers below 2^31, in halves.
    static_assert(delta_chunk <= std::int64_t{1} << 15);

    struct Shared {
        std::uint32_t bucket[places];
        std::uint32_t count[places];
        std::uint32_t lower[places];  ///< sum of the lower 16 bits of the units
        std::uint32_t upper[places];
        std::uint32_t zeros;
    };

    GALAPAGOS_HOST_DEVICE static void add(const StatisticJob& job, std::uint32_t key,
                                          Shared& shared) {
        const std::uint32_t bucket = (key - job.low) >> job.shift;
        const std::uint32_t units = units_of(key, job.scale);
        const std::uint32_t place = bucket % places;
        if (claim(shared.bucket[place], no_bucket, bucket) == bucket) {
            add_to(shared.count[place], 1);
            add_to(shared.lower[place], units & 0xFFFFu);
            add_to(shared.upper[place], units >> 16);
        } else {
            add_to(job.totals[2 * bucket], 1);
            add_to(job.totals[2 * bucket + 1], units);
        }
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        block.each([&](int thread) {
            for (std::uint32_t i = static_cast<std::uint32_t>(thread); i < places;
                 i += Block::threads) {
                shared.bucket[i] = no_bucket;
                shared.count[i] = shared.lower[i] = shared.upper[i] = 0;
            }
            if (thread == 0) shared.zeros = 0;
        });
        block.each([&](int thread) {
            std::uint32_t zeros = 0;
            for_each_pack(delta_chunk_of(job, item * delta_chunk), thread, Block::threads,
                          [&](const Pack& pack) {
                              for_each_key<Keys>(job, pack, [&](std::uint32_t key, std::int64_t) {
                                  if (!in_range(job, key)) return;
                                  if (key == 0)
                                      ++zeros;
                                  else
                                      add(job, key, shared);
                              });
                          });
            if (zeros > 0) add_to(shared.zeros, zeros);
        });
        block.each([&](int thread) {
            for (std::uint32_t i = static_cast<std::uint32_t>(thread); i < places;
                 i += Block::threads) {
                if (shared.bucket[i] == no_bucket) continue;
                std::uint64_t* totals = job.totals + 2 * std::uint64_t{shared.bucket[i]};
                add_to(totals[0], std::uint64_t{shared.count[i]});
                add_to(totals[1], (std::uint64_t{shared.upper[i]} << 16) + shared.lower[i]);
            }
            if (thread == 0 && shared.zeros > 0) add_to(job.totals[0], std::uint64_t{shared.zeros});
        });
    }
};

/// By the chunks of the whole tensor.
template <typename Keys>
struct ChunkMatches {
    struct Shared {
        std::uint32_t matches;
    };

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        block.each([&](int thread) {
            if (thread == 0) shared.matches = 0;
        });
        const std::int64_t number = first_whole_chunk(job.tensors) + item;
        const TensorChunk chunk = whole_chunk_of(job.tensors, number);
        block.each([&](int thread) {
            std::uint32_t own = 0;
            const auto count = [&](std::uint32_t key, std::int64_t element) {
                own += element >= chunk.begin && in_range(job, key) ? 1 : 0;
            };
            for_each_pack({chunk.begin / pack_elements * pack_elements, chunk.end}, thread,
                          Block::threads,
                          [&](const Pack& pack) { for_each_key<Keys>(job, pack, count); });
            if (own > 0) add_to(shared.matches, own);
        });
        block.each([&](int thread) {
            if (thread == 0 && shared.matches > 0) add_to(job.matches[number], shared.matches);
        });
    }
};

/// Looks through one chunk, of which each thread takes a part: the first threads the first
/// elements.
template <typename Keys>
struct NthMatch {
    struct Shared {
        std::uint32_t matches[most_block_threads];
    };

    template <typename Visit>
    GALAPAGOS_HOST_DEVICE static void for_each_own(const StatisticJob& job, int thread, int threads,
                                                   const Visit& visit) {
        const TensorChunk chunk = delta_chunk_of(job, job.begin);
        constexpr std::int64_t packs = delta_chunk / pack_elements;
        const std::int64_t share = (packs + threads - 1) / threads * pack_elements;
        const std::int64_t begin = chunk.begin + thread * share;
        const std::int64_t end = begin + share < chunk.end ? begin + share : chunk.end;
        for_each_pack({begin, end}, 0, 1,
                      [&](const Pack& pack) { for_each_key<Keys>(job, pack, visit); });
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job, std::int64_t,
                                          Shared& shared) {
        block.each([&](int thread) {
            std::uint32_t own = 0;
            for_each_own(job, thread, Block::threads, [&](std::uint32_t key, std::int64_t) {
                own += in_range(job, key) ? 1 : 0;
            });
            shared.matches[thread] = own;
        });
        block.each([&](int thread) {
            std::int64_t left = job.rank;
            for (int before = 0; before < thread; ++before) left -= shared.matches[before];
            if (left < 1 || left > shared.matches[thread]) return;
            for_each_own(job, thread, Block::threads, [&](std::uint32_t key, std::int64_t element) {
                if (in_range(job, key) && --left == 0)
                    *job.totals = static_cast<std::uint64_t>(element);
            });
        });
    }
};

/// In no particular order.
template <typename Keys>
struct Collection {
    struct Shared {};

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared&) {
        block.each([&](int thread) {
            for_each_pack(delta_chunk_of(job, job.begin + item * delta_chunk), thread,
                          Block::threads, [&](const Pack& pack) {
                              for_each_key<Keys>(
                                  job, pack, [&](std::uint32_t key, std::int64_t element) {
                                      if (in_range(job, key))
                                          job.placed[add_to(*job.totals, 1)] =
                                              placed_key(key, job.tensors.runs.global(element));
                                  });
                          });
        });
    }
};

}  // namespace galapagos::cuda
