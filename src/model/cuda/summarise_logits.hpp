// What a rank tells the others about its slice of the logits.
#pragma once

#include <cstdint>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"
#include "model/cuda/functions.hpp"
#include "model/shard_summary.hpp"

namespace galapagos::cuda {

/// A question about a row of logits.
struct LogitQuery {
    std::int32_t row;
    std::int32_t target;  ///< id whose logit is wanted, or -1
};

/// A block a query.
template <typename T>
struct SummariseLogits {
    static constexpr int threads = 256;

    const T* logits = nullptr;  ///< [rows, width]
    std::int64_t width = 0;
    std::int64_t first_id = 0;   ///< of the slice
    std::int64_t first_row = 0;  ///< the queries' row that lies at `logits`
    float softcap = 0;
    const LogitQuery* queries = nullptr;
    ShardSummary* summaries = nullptr;
    std::int64_t count = 0;  ///< of queries

    std::int64_t blocks() const { return count; }
    int shared_floats() const { return sum_floats(threads) + 2 * threads; }
};

/// A logit and where it lies.
struct Candidate {
    float value;
    std::int32_t id;
};

/// The larger of two, the lower id of equals; NaN beats everything.
GALAPAGOS_HOST_DEVICE inline Candidate better(const Candidate& a, const Candidate& b) {
    if (a.value != a.value) return a;
    if (b.value != b.value || b.value > a.value) return b;
    return b.value == a.value && b.id < a.id ? b : a;
}

inline constexpr std::int32_t no_id = 0x7FFFFFFF;
GALAPAGOS_HOST_DEVICE inline Candidate no_candidate() { return {float_of(0xFF800000u), no_id}; }

/// The best of candidates `first`, `first` + `step`, ... of `count` in shared memory.
GALAPAGOS_HOST_DEVICE inline Candidate best_of(const float* values, const float* ids, int first,
                                               int step, int count) {
    Candidate best = no_candidate();
    for (int i = first; i < count; i += step)
        best = better(best, {values[i], static_cast<std::int32_t>(bits_of(ids[i]))});
    return best;
}

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const SummariseLogits<T>& job, const Block& block) {
    constexpr int threads = SummariseLogits<T>::threads;
    const LogitQuery query = job.queries[block.index()];
    const T* logits = job.logits + (query.row - job.first_row) * job.width;
    const std::int64_t chunks = chunks_of(job.width);
    float* const values = block.shared();
    float* const ids = values + threads;
    float* const terms = ids + threads;

    block.each([&](int thread) {
        Candidate best = no_candidate();
        for (std::int64_t number = thread; number < chunks; number += threads) {
            const Chunk chunk = chunk_at(number, job.width);
            float x[chunk_elements];
            load_chunk(logits + chunk.first, chunk.count, x);
            for (int i = 0; i < chunk_elements; ++i)
                if (i < chunk.count)
                    best = better(best, {soft_capped<T>(x[i], job.softcap),
                                         static_cast<std::int32_t>(chunk.first) + i});
        }
        values[thread] = best.value;
        ids[thread] = float_of(static_cast<std::uint32_t>(best.id));
    });
    block.each([&](int thread) {
        if (thread >= partial_sums) return;
        const Candidate best = best_of(values, ids, thread, partial_sums, threads);
        values[thread] = best.value;
        ids[thread] = float_of(static_cast<std::uint32_t>(best.id));
    });
    block.each([&](int thread) {
        const Candidate best = best_of(values, ids, 0, 1, partial_sums);
        float sum = 0;
        for (std::int64_t number = thread; number < chunks; number += threads) {
            const Chunk chunk = chunk_at(number, job.width);
            float x[chunk_elements];
            load_chunk(logits + chunk.first, chunk.count, x);
            for (int i = 0; i < chunk_elements; ++i)
                if (i < chunk.count)
                    sum += exponential(soft_capped<T>(x[i], job.softcap) - best.value);
        }
        terms[thread] = sum;
    });
    add_terms<threads>(block, terms);
    block.each([&](int thread) {
        if (thread > 0) return;
        const Candidate best = best_of(values, ids, 0, 1, partial_sums);
        const std::int64_t target = query.target - job.first_id;
        const bool own = query.target >= 0 && target >= 0 && target < job.width;
        job.summaries[block.index()] = {
            best.value, best.id + static_cast<std::int32_t>(job.first_id), total<threads>(terms),
            own ? soft_capped<T>(widen(logits[target]), job.softcap) : float_of(0xFF800000u)};
    });
}

}  // namespace galapagos::cuda
