// Ranks of magnitudes in a row: a block sorts it, four bits at a time from the lowest; equal ones
// stay in order. The row lies in device memory, once as it is and once as it becomes.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/keys.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

struct RowRanks {
    static constexpr int digit_bits = 4, digits = 1 << digit_bits, key_bits = 31;
    static constexpr int place_shift = 32;  ///< magnitude above, place in the row below

    struct Shared {
        /// Elements of a digit in a thread's part of the row; then, where the next one goes. All
        /// threads' of the lowest digit come first.
        std::uint32_t next[digits * most_block_threads];
        std::uint32_t sums[most_block_threads];  ///< of sixteen neighbours in `next`
    };

    GALAPAGOS_HOST_DEVICE static int digit_of(std::uint64_t element, int shift) {
        return static_cast<int>(element >> (place_shift + shift) & (digits - 1));
    }

    /// Calls visit(element) for a thread's part of a row.
    template <typename Visit>
    GALAPAGOS_HOST_DEVICE static void for_each_own(const std::uint64_t* row, std::int64_t length,
                                                   int thread, int threads, const Visit& visit) {
        const std::int64_t share = (length + threads - 1) / threads;
        const std::int64_t end = (thread + 1) * share < length ? (thread + 1) * share : length;
        for (std::int64_t i = thread * share; i < end; ++i) visit(row[i]);
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void sort_digit(const Block& block, const std::uint64_t* from,
                                                 std::uint64_t* to, std::int64_t length, int shift,
                                                 Shared& shared) {
        constexpr int threads = Block::threads;
        block.each([&](int thread) {
            for (int digit = 0; digit < digits; ++digit) shared.next[digit * threads + thread] = 0;
            for_each_own(from, length, thread, threads, [&](std::uint64_t element) {
                ++shared.next[digit_of(element, shift) * threads + thread];
            });
        });
        block.each([&](int thread) {
            std::uint32_t sum = 0;
            for (int i = 0; i < digits; ++i) sum += shared.next[thread * digits + i];
            shared.sums[thread] = sum;
        });
        block.each([&](int thread) {
            std::uint32_t next = 0;
            for (int before = 0; before < thread; ++before) next += shared.sums[before];
            for (int i = 0; i < digits; ++i) {
                const std::uint32_t count = shared.next[thread * digits + i];
                shared.next[thread * digits + i] = next;
                next += count;
            }
        });
        block.each([&](int thread) {
            for_each_own(from, length, thread, threads, [&](std::uint64_t element) {
                to[shared.next[digit_of(element, shift) * threads + thread]++] = element;
            });
        });
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job,
                                          std::int64_t item, Shared& shared) {
        const std::int64_t length = job.row_length, begin = item * length;
        std::uint64_t* from = job.placed + block.number() * 2 * length;
        std::uint64_t* to = from + length;
        block.each([&](int thread) {
            for (std::int64_t first = thread * pack_elements; first < length;
                 first += Block::threads * pack_elements) {
                const std::int64_t left = length - first;
                const Pack pack{begin + first,
                                static_cast<int>(left < pack_elements ? left : pack_elements)};
                for_each_key<DeltaKeys>(job, pack, [&](std::uint32_t key, std::int64_t element) {
                    from[element - begin] = std::uint64_t{key} << place_shift |
                                            static_cast<std::uint64_t>(element - begin);
                });
            }
        });
        for (int shift = 0; shift < key_bits; shift += digit_bits) {
            sort_digit(block, from, to, length, shift, shared);
            std::uint64_t* const sorted = to;
            to = from;
            from = sorted;
        }
        block.each([&](int thread) {
            for (std::int64_t i = thread; i < length; i += Block::threads)
                job.ranks[begin + static_cast<std::int64_t>(from[i] & 0xFFFFFFFFu)] =
                    job.ranks_in_order[i];
        });
    }
};

}  // namespace galapagos::cuda
