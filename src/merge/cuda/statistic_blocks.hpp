// What a block does in a launch: all that the GPU runs, and the host's twin of it.
#pragma once

#include <cstdint>

#include "merge/cuda/key_passes.hpp"
#include "merge/cuda/mask_passes.hpp"
#include "merge/cuda/row_ranks.hpp"
#include "merge/cuda/selection.hpp"
#include "merge/cuda/statistic_device.hpp"

namespace galapagos::cuda {

template <StatisticPass pass>
struct PassOf;
template <>
struct PassOf<StatisticPass::largest_magnitude> : LargestMagnitude {};
template <>
struct PassOf<StatisticPass::key_counts> : KeyCounts<DeltaKeys> {};
template <>
struct PassOf<StatisticPass::chunk_matches> : ChunkMatches<DeltaKeys> {};
template <>
struct PassOf<StatisticPass::nth_match> : NthMatch<DeltaKeys> {};
template <>
struct PassOf<StatisticPass::collection> : Collection<DeltaKeys> {};
template <>
struct PassOf<StatisticPass::selection> : Selection {};
template <>
struct PassOf<StatisticPass::level_sums> : LevelSums {};
template <>
struct PassOf<StatisticPass::thinned_sums> : ThinnedSums {};
template <>
struct PassOf<StatisticPass::row_ranks> : RowRanks {};

/// A block's shared memory.
template <StatisticPass pass>
struct BlockMemory {
    StatisticJob job;
    typename PassOf<pass>::Shared shared;
};

/// Copies an entry to shared memory: a thread's part of it.
GALAPAGOS_HOST_DEVICE inline void copy_part(const StatisticJob& from, StatisticJob& to, int thread,
                                            int threads) {
#if defined(__CUDA_ARCH__)
    static_assert(sizeof(StatisticJob) % sizeof(std::uint32_t) == 0);
    const auto* source = reinterpret_cast<const std::uint32_t*>(&from);
    auto* target = reinterpret_cast<std::uint32_t*>(&to);
    for (std::size_t i = thread; i < sizeof(StatisticJob) / sizeof(std::uint32_t); i += threads)
        target[i] = source[i];
#else
    if (thread == threads - 1) to = from;
#endif
}

/// A block takes the items whose numbers are its own modulo the number of blocks.
template <StatisticPass pass, typename Block>
GALAPAGOS_HOST_DEVICE void run_block(const Block& block, const StatisticLaunch& launch,
                                     BlockMemory<pass>& memory) {
    for (std::int64_t item = block.number(); item < launch.items; item += block.blocks()) {
        block.each([&](int thread) {
            copy_part(job_of(launch.jobs, launch.job_count, item), memory.job, thread,
                      Block::threads);
        });
        PassOf<pass>::run(block, memory.job, item - memory.job.first_item, memory.shared);
    }
}

/// run.operator()<pass>() for a pass that is known only now.
template <typename Run>
void with_pass(StatisticPass pass, Run&& run) {
    switch (pass) {
        case StatisticPass::largest_magnitude:
            return run.template operator()<StatisticPass::largest_magnitude>();
        case StatisticPass::key_counts:
            return run.template operator()<StatisticPass::key_counts>();
        case StatisticPass::chunk_matches:
            return run.template operator()<StatisticPass::chunk_matches>();
        case StatisticPass::nth_match:
            return run.template operator()<StatisticPass::nth_match>();
        case StatisticPass::collection:
            return run.template operator()<StatisticPass::collection>();
        case StatisticPass::selection:
            return run.template operator()<StatisticPass::selection>();
        case StatisticPass::level_sums:
            return run.template operator()<StatisticPass::level_sums>();
        case StatisticPass::thinned_sums:
            return run.template operator()<StatisticPass::thinned_sums>();
        case StatisticPass::row_ranks:
            return run.template operator()<StatisticPass::row_ranks>();
    }
}

}  // namespace galapagos::cuda
