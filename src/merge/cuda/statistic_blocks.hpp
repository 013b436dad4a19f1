// What a block does in a launch: all that the GPU runs, and the host's twin of it.
#pragma once

#include <cstdint>

#include "merge/cuda/change_passes.hpp"
#include "merge/cuda/divergence_passes.hpp"
#include "merge/cuda/key_passes.hpp"
#include "merge/cuda/mask_passes.hpp"
#include "merge/cuda/product_passes.hpp"
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
struct PassOf<StatisticPass::placed_digits> : PlacedDigits {};
template <>
struct PassOf<StatisticPass::level_sums> : LevelSums {};
template <>
struct PassOf<StatisticPass::thinned_sums> : ThinnedSums {};
template <>
struct PassOf<StatisticPass::row_ranks> : RowRanks {};

template <>
struct PassOf<StatisticPass::variance_counts> : KeyCounts<VarianceKeys> {};
template <>
struct PassOf<StatisticPass::variance_matches> : ChunkMatches<VarianceKeys> {};
template <>
struct PassOf<StatisticPass::nth_variance> : NthMatch<VarianceKeys> {};
template <>
struct PassOf<StatisticPass::variance_collection> : Collection<VarianceKeys> {};
template <>
struct PassOf<StatisticPass::importance_counts> : KeyCounts<ImportanceKeys> {};
template <>
struct PassOf<StatisticPass::run_products> : RunProducts {};
template <>
struct PassOf<StatisticPass::column_products> : ColumnProducts {};
template <>
struct PassOf<StatisticPass::row_divergences> : RowDivergences {};
template <>
struct PassOf<StatisticPass::change_squares> : ChangeSquares {};
template <>
struct PassOf<StatisticPass::change_counts> : ChangeCounts {};

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

/// run.operator()<pass>() for a pass that is known only now, if it is one over task vectors.
template <typename Run>
bool with_delta_pass(StatisticPass pass, Run&& run) {
    switch (pass) {
        case StatisticPass::largest_magnitude:
            run.template operator()<StatisticPass::largest_magnitude>();
            return true;
        case StatisticPass::key_counts:
            run.template operator()<StatisticPass::key_counts>();
            return true;
        case StatisticPass::chunk_matches:
            run.template operator()<StatisticPass::chunk_matches>();
            return true;
        case StatisticPass::nth_match:
            run.template operator()<StatisticPass::nth_match>();
            return true;
        case StatisticPass::collection:
            run.template operator()<StatisticPass::collection>();
            return true;
        case StatisticPass::selection:
            run.template operator()<StatisticPass::selection>();
            return true;
        case StatisticPass::placed_digits:
            run.template operator()<StatisticPass::placed_digits>();
            return true;
        case StatisticPass::level_sums:
            run.template operator()<StatisticPass::level_sums>();
            return true;
        case StatisticPass::thinned_sums:
            run.template operator()<StatisticPass::thinned_sums>();
            return true;
        case StatisticPass::row_ranks:
            run.template operator()<StatisticPass::row_ranks>();
            return true;
        default:
            return false;
    }
}

/// The same for those over all models of a job.
template <typename Run>
bool with_job_pass(StatisticPass pass, Run&& run) {
    switch (pass) {
        case StatisticPass::variance_counts:
            run.template operator()<StatisticPass::variance_counts>();
            return true;
        case StatisticPass::variance_matches:
            run.template operator()<StatisticPass::variance_matches>();
            return true;
        case StatisticPass::nth_variance:
            run.template operator()<StatisticPass::nth_variance>();
            return true;
        case StatisticPass::variance_collection:
            run.template operator()<StatisticPass::variance_collection>();
            return true;
        case StatisticPass::importance_counts:
            run.template operator()<StatisticPass::importance_counts>();
            return true;
        case StatisticPass::run_products:
            run.template operator()<StatisticPass::run_products>();
            return true;
        case StatisticPass::column_products:
            run.template operator()<StatisticPass::column_products>();
            return true;
        case StatisticPass::row_divergences:
            run.template operator()<StatisticPass::row_divergences>();
            return true;
        case StatisticPass::change_squares:
            run.template operator()<StatisticPass::change_squares>();
            return true;
        case StatisticPass::change_counts:
            run.template operator()<StatisticPass::change_counts>();
            return true;
        default:
            return false;
    }
}

}  // namespace galapagos::cuda
