// The n-th of the keys that were collected, by one block: digit by digit, from the highest.
#pragma once

#include <cstdint>

#include "merge/cuda/block.hpp"
#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

struct Selection {
    static constexpr int digit_bits = 8, digits = 1 << digit_bits, key_bits = 64;

    struct Shared {
        std::uint32_t counts[digits];
        PlacedKey nth;      ///< its bits, as far as they are known
        std::int64_t rank;  ///< among those that begin like it
        std::uint64_t units;
    };

    /// Takes the digit that holds the wanted rank.
    GALAPAGOS_HOST_DEVICE static void descend(int shift, Shared& shared) {
        std::uint64_t digit = 0;
        while (shared.rank > shared.counts[digit]) shared.rank -= shared.counts[digit++];
        shared.nth |= digit << shift;
    }

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job, std::int64_t,
                                          Shared& shared) {
        block.each([&](int thread) {
            if (thread != 0) return;
            shared.nth = 0;
            shared.rank = job.rank;
            shared.units = 0;
        });
        // How many there are, the launch before has counted.
        const auto count = static_cast<std::int64_t>(*job.totals);
        for (int shift = key_bits - digit_bits; shift >= 0; shift -= digit_bits) {
            block.each([&](int thread) {
                for (int i = thread; i < digits; i += Block::threads) shared.counts[i] = 0;
            });
            block.each([&](int thread) {
                for (std::int64_t i = thread; i < count; i += Block::threads) {
                    const PlacedKey unlike = job.placed[i] ^ shared.nth;
                    if (unlike >> shift >> digit_bits == 0)
                        add_to(shared.counts[job.placed[i] >> shift & (digits - 1)], 1);
                }
            });
            block.each([&](int thread) {
                if (thread == 0) descend(shift, shared);
            });
        }
        block.each([&](int thread) {
            std::uint64_t own = 0;
            for (std::int64_t i = thread; i < count; i += Block::threads)
                if (job.placed[i] <= shared.nth) own += units_of(key_of(job.placed[i]), job.scale);
            if (own > 0) add_to(shared.units, own);
        });
        block.each([&](int thread) {
            if (thread != 0) return;
            job.totals[1] = shared.nth;
            job.totals[2] = shared.units;
        });
    }
};

/// One digit of several ranks' selection: what each of them has collected is counted, and the host
/// adds up.
struct PlacedDigits {
    static constexpr int digit_bits = 4, digits = 1 << digit_bits;

    struct Shared {
        std::uint32_t counts[digits];
        std::uint64_t units[digits];
    };

    template <typename Block>
    GALAPAGOS_HOST_DEVICE static void run(const Block& block, const StatisticJob& job, std::int64_t,
                                          Shared& shared) {
        block.each([&](int thread) {
            for (int i = thread; i < digits; i += Block::threads) {
                shared.counts[i] = 0;
                shared.units[i] = 0;
            }
        });
        const auto count = static_cast<std::int64_t>(*job.totals);
        block.each([&](int thread) {
            for (std::int64_t i = thread; i < count; i += Block::threads) {
                const PlacedKey placed = job.placed[i];
                if ((placed ^ job.prefix) >> job.shift >> digit_bits != 0) continue;
                const auto digit = placed >> job.shift & (digits - 1);
                add_to(shared.counts[digit], 1);
                add_to(shared.units[digit], std::uint64_t{units_of(key_of(placed), job.scale)});
            }
        });
        block.each([&](int thread) {
            for (int i = thread; i < digits; i += Block::threads) {
                job.totals[1 + i] = shared.counts[i];
                job.totals[1 + digits + i] = shared.units[i];
            }
        });
    }
};

}  // namespace galapagos::cuda
