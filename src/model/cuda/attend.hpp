// Attention over the key-value cache, one token at a time: a block takes a token and the query
// heads that share a key-value head, or as many of them as its threads can hold.
#pragma once

#include <cstdint>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"
#include "model/cuda/functions.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/cuda/tile_products.hpp"

namespace galapagos::cuda {

/// What blocks leave that share out a row's positions: stretches of them, side by side for each
/// token and query head.
struct Stretches {
    int count = 1;                 ///< blocks for a row's positions; some stay idle at shorter rows
    std::int64_t length = 0;       ///< positions of a block, if there are several
    float* sums = nullptr;         ///< [token of the launch][query head][stretch][head_dim]
    float* maxima = nullptr;       ///< [token of the launch][query head][stretch]
    float* normalisers = nullptr;  ///< likewise
};

/// Tokens [first_token, first_token + tokens); keys and values up to each token are in the cache.
template <typename T>
struct AttendTokens {
    const T* queries = nullptr;  ///< [token][query head][head_dim]
    T* output = nullptr;         ///< likewise
    CacheSlot<T> cache;
    const Place* places = nullptr;  ///< of every token of the pass
    std::int64_t first_token = 0;
    std::int64_t tokens = 0;
    int query_heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
    float scale = 1;          ///< factor of the scores
    float softcap = 0;        ///< scores become cap * tanh(score / cap); 0: they don't
    std::int64_t window = 0;  ///< a token sees this many tokens, itself included; 0: all
    Stretches stretches;      ///< several: JoinStretches writes the output

    GALAPAGOS_HOST_DEVICE int group() const { return query_heads / kv_heads; }
    /// Threads that share a key: each has eight elements of the heads.
    GALAPAGOS_HOST_DEVICE int lanes() const { return static_cast<int>(chunks_of(head_dim)); }
};

/// The same as a kernel that works on `together` query heads at once.
template <typename T, int together>
struct Attend : AttendTokens<T> {
    static constexpr int threads = 128;
    /// Positions between two looks at the maximum, at most.
    static constexpr int longest_tile = 64;
    /// Threads that share the scores of a head.
    static constexpr int judges = threads / together;
    /// Room for the terms of a tile's scores (a whole one with heads of 128), and at the end for
    /// the threads' sums.
    static constexpr int workspace = (threads * chunk_elements + longest_tile) * together;
    /// From one head's scores to the next's, so that they lie in different banks.
    static constexpr int score_stride = longest_tile + 1;

    /// Blocks for the query heads of one key-value head.
    GALAPAGOS_HOST_DEVICE int parts() const { return (this->group() + together - 1) / together; }
    std::int64_t blocks() const {
        return this->tokens * this->kv_heads * parts() * this->stretches.count;
    }

    /// Keys at once.
    GALAPAGOS_HOST_DEVICE int slots() const { return threads / this->lanes(); }
    /// From one score's terms to the next's; odd, so that they lie in different banks.
    GALAPAGOS_HOST_DEVICE int stride() const { return this->lanes() | 1; }
    GALAPAGOS_HOST_DEVICE int tile() const {
        int positions = longest_tile;
        while (positions > 1 && positions * together * stride() > workspace) positions /= 2;
        return positions;
    }
    GALAPAGOS_HOST_DEVICE int query_floats() const {
        return together * this->lanes() * chunk_elements;
    }
    int shared_floats() const {
        return workspace + query_floats() + together * (score_stride + 1) + threads / quad_threads;
    }
};

/// Calls run(Attend) with as many heads together as share a key-value head, at most eight. Wide
/// heads leave shared memory for four.
template <typename T, typename Run>
void with_together(const AttendTokens<T>& job, Run&& run) {
    if (job.group() == 1) return run(Attend<T, 1>{job});
    if (job.group() == 2) return run(Attend<T, 2>{job});
    if (job.group() <= 4 || job.head_dim > 256) return run(Attend<T, 4>{job});
    run(Attend<T, 8>{job});
}

/// The positions that a token sees.
struct Visible {
    std::int64_t begin, end;
};
template <typename T>
GALAPAGOS_HOST_DEVICE inline Visible visible_at(const AttendTokens<T>& job, const Place& place) {
    const std::int64_t end = std::int64_t{place.position} + 1;
    return {job.window > 0 && end > job.window ? end - job.window : 0, end};
}

/// A block's part of shared memory.
template <int together>
struct AttendMemory {
    float* terms;        ///< [head][position of the tile][lane], at the end [slot][head][element]
    float* queries;      ///< [head][element], scaled
    float* scores;       ///< [head][position of the tile]
    float* corrections;  ///< [head], for what was summed under an earlier maximum
    float* of_quads;     ///< [head][quad of its judges]: their maxima, at the end their sums
    int tile;            ///< positions that `terms` holds

    /// Of one score.
    GALAPAGOS_HOST_DEVICE float* terms_of(int head, int at, int stride) const {
        return terms + (head * tile + at) * stride;
    }
};

/// What a judge knows of its head: the maximum over all tiles so far, and the sum of its own
/// positions' weights under it.
struct Judgement {
    float maximum;
    float sum;
};

template <typename T, int together>
GALAPAGOS_HOST_DEVICE inline AttendMemory<together> attend_memory(const Attend<T, together>& job,
                                                                  float* shared) {
    AttendMemory<together> memory;
    memory.terms = shared;
    memory.queries = memory.terms + Attend<T, together>::workspace;
    memory.scores = memory.queries + job.query_floats();
    memory.corrections = memory.scores + together * Attend<T, together>::score_stride;
    memory.of_quads = memory.corrections + together;
    memory.tile = job.tile();
    return memory;
}

/// What a thread sums up: its elements of the values, for each head.
template <int together>
struct ValueSums {
    float of[together][chunk_elements];
};

/// Calls use(position, eight elements) for a thread's share of `count` rows of the cache. Several
/// loads are under way at once where the elements lie at multiples of sixteen bytes.
template <typename T, int together, typename Use>
GALAPAGOS_HOST_DEVICE inline void each_row(const Attend<T, together>& job, const T* rows, int count,
                                           int thread, Use&& use) {
    constexpr int at_once = 4;
    const Chunk chunk = chunk_at(thread % job.lanes(), job.head_dim);
    const T* const mine = rows + chunk.first;
    const int step = job.slots();
    float row[chunk_elements];
    int at = thread / job.lanes();
    if (job.head_dim % chunk_elements == 0 && whole_vectors(mine, chunk.count))
        for (; at + (at_once - 1) * step < count; at += at_once * step) {
            RawChunk<T> raw[at_once];
            for (int i = 0; i < at_once; ++i)
                raw[i] = load_raw(mine + std::int64_t{at + i * step} * job.head_dim);
            for (int i = 0; i < at_once; ++i) {
                widen_raw(raw[i], row);
                use(at + i * step, row);
            }
        }
    for (; at < count; at += step) {
        load_chunk(mine + std::int64_t{at} * job.head_dim, chunk.count, row);
        use(at, row);
    }
}

/// A thread's terms of the scores of a tile: the products over its elements.
template <typename T, int together>
GALAPAGOS_HOST_DEVICE inline void score_terms(const Attend<T, together>& job, const T* keys,
                                              int count, int thread,
                                              const AttendMemory<together>& memory) {
    const int lane = thread % job.lanes();
    float query[together][chunk_elements];
    for (int head = 0; head < together; ++head)
        for (int i = 0; i < chunk_elements; ++i)
            query[head][i] = memory.queries[(head * job.lanes() + lane) * chunk_elements + i];
    each_row(job, keys, count, thread, [&](int at, const float(&key)[chunk_elements]) {
        for (int head = 0; head < together; ++head) {
            float sum = 0;
            for (int i = 0; i < chunk_elements; ++i)
                sum = multiply_add(query[head][i], key[i], sum);
            memory.terms_of(head, at, job.stride())[lane] = sum;
        }
    });
}

/// Adds a tile's values, weighted, to what a thread has.
template <typename T, int together>
GALAPAGOS_HOST_DEVICE inline void add_values(const Attend<T, together>& job, const T* values,
                                             int count, int thread,
                                             const AttendMemory<together>& memory,
                                             ValueSums<together>& sums) {
    for (int head = 0; head < together; ++head)
        for (int i = 0; i < chunk_elements; ++i) sums.of[head][i] *= memory.corrections[head];
    each_row(job, values, count, thread, [&](int at, const float(&value)[chunk_elements]) {
        for (int head = 0; head < together; ++head) {
            const float weight = memory.scores[head * job.score_stride + at];
            for (int i = 0; i < chunk_elements; ++i)
                sums.of[head][i] = multiply_add(weight, value[i], sums.of[head][i]);
        }
    });
}

/// What a block works on.
struct AttendShare {
    Visible positions;
    std::int64_t slab;        ///< where the key-value head's positions begin in the cache
    std::int64_t row;         ///< first of its query heads among those of all tokens
    std::int64_t of_stretch;  ///< where its maxima lie, from one head to the next `stretches.count`
    int heads;                ///< of `together` those that are there
};

template <typename T, int together>
GALAPAGOS_HOST_DEVICE inline AttendShare share_of(const Attend<T, together>& job,
                                                  std::int64_t block) {
    const int stretches = job.stretches.count;
    const auto stretch = static_cast<int>(block % stretches);
    const auto part = static_cast<int>(block / stretches % job.parts());
    const auto kv_head = static_cast<int>(block / stretches / job.parts() % job.kv_heads);
    const std::int64_t token = block / stretches / job.parts() / job.kv_heads;
    const std::int64_t first_head = std::int64_t{kv_head} * job.group() + part * together;
    const int left = job.group() - part * together;
    const Place place = job.places[job.first_token + token];
    AttendShare share;
    share.positions = visible_at(job, place);
    share.slab = place.row * job.cache.row_stride + kv_head * job.cache.head_stride;
    share.row = (job.first_token + token) * job.query_heads + first_head;
    share.of_stretch = (token * job.query_heads + first_head) * stretches + stretch;
    share.heads = left < together ? left : together;
    if (stretches == 1) return share;
    share.positions.begin += stretch * job.stretches.length;
    const std::int64_t end = share.positions.begin + job.stretches.length;
    if (end < share.positions.end) share.positions.end = end;
    return share;
}

template <typename T, int together, typename Block>
GALAPAGOS_HOST_DEVICE inline void load_scaled_queries(const Attend<T, together>& job,
                                                      const AttendShare& share, const Block& block,
                                                      const AttendMemory<together>& memory) {
    const int width = job.lanes() * chunk_elements;
    block.each([&](int thread) {
        for (int i = thread; i < job.query_floats(); i += job.threads) {
            const int head = i / width, d = i % width;
            const bool there = head < share.heads && d < job.head_dim;
            const T* query = job.queries + (share.row + head) * job.head_dim + d;
            memory.queries[i] = there ? widen(*query) * job.scale : 0.0f;
        }
    });
}

/// What the quads of a head's judges found, put together by each of them in one order.
template <typename T, int together, typename Combine>
GALAPAGOS_HOST_DEVICE inline float of_all_quads(const Attend<T, together>& job,
                                                const AttendMemory<together>& memory, int head,
                                                Combine&& combine) {
    constexpr int quads = job.judges / quad_threads;
    float result = memory.of_quads[head * quads];
    for (int i = 1; i < quads; ++i) result = combine(result, memory.of_quads[head * quads + i]);
    return result;
}

/// Scores of `count` positions, as weights under the maximum so far. A judge takes every so many
/// positions of one head.
template <typename T, int together, typename Block, typename Judgements>
GALAPAGOS_HOST_DEVICE inline void weigh_tile(const Attend<T, together>& job, const T* keys,
                                             int count, const Block& block,
                                             const AttendMemory<together>& memory,
                                             Judgements& judgements) {
    constexpr int judges = job.judges;
    const auto larger = [](float a, float b) { return b > a ? b : a; };
    typename Block::template Own<OfQuad> largest;
    block.each([&](int thread) {
        if (thread < job.slots() * job.lanes()) score_terms(job, keys, count, thread, memory);
    });
    block.alone([&](int thread) {
        const int head = thread / judges;
        float maximum = judgements[thread].maximum;
        for (int at = thread % judges; at < count; at += judges) {
            float score = team_sum(memory.terms_of(head, at, job.stride()), job.lanes());
            if (job.softcap != 0.0f) score = job.softcap * hyperbolic_tangent(score / job.softcap);
            memory.scores[head * job.score_stride + at] = score;
            maximum = larger(maximum, score);
        }
        largest[thread].of[0] = maximum;
    });
    block.across_quads(largest, larger);
    block.each([&](int thread) {
        if (thread % quad_threads == 0)
            memory.of_quads[thread / quad_threads] = largest[thread].of[0];
    });
    block.each([&](int thread) {
        const int head = thread / judges;
        Judgement& mine = judgements[thread];
        const float maximum = of_all_quads(job, memory, head, larger);
        const float correction = exponential(mine.maximum - maximum);
        float sum = 0;
        for (int at = thread % judges; at < count; at += judges) {
            float& score = memory.scores[head * job.score_stride + at];
            score = exponential(score - maximum);
            sum += score;
        }
        mine = {maximum, mine.sum * correction + sum};
        if (thread % judges == 0) memory.corrections[head] = correction;
    });
}

/// The threads' sums added up: the output, or what JoinStretches makes it from.
template <typename T, int together, typename Block, typename Judgements, typename Sums>
GALAPAGOS_HOST_DEVICE inline void finish_share(const Attend<T, together>& job,
                                               const AttendShare& share, const Block& block,
                                               const AttendMemory<together>& memory,
                                               Judgements& judgements, Sums& sums) {
    const int width = job.lanes() * chunk_elements;
    const Stretches& stretches = job.stretches;
    const auto plus = [](float a, float b) { return a + b; };
    typename Block::template Own<OfQuad> weights;
    block.alone([&](int thread) { weights[thread].of[0] = judgements[thread].sum; });
    block.across_quads(weights, plus);
    block.each([&](int thread) {
        if (thread % quad_threads == 0)
            memory.of_quads[thread / quad_threads] = weights[thread].of[0];
        const int lane = thread % job.lanes(), slot = thread / job.lanes();
        if (slot >= job.slots()) return;
        for (int head = 0; head < together; ++head)
            for (int i = 0; i < chunk_elements; ++i)
                memory.terms[(slot * together + head) * width + lane * chunk_elements + i] =
                    sums[thread].of[head][i];
    });
    block.each([&](int thread) {
        for (int i = thread; i < share.heads * job.head_dim; i += job.threads) {
            const int head = i / job.head_dim, d = i % job.head_dim;
            float sum = 0;
            for (int slot = 0; slot < job.slots(); ++slot)
                sum += memory.terms[(slot * together + head) * width + d];
            if (stretches.count == 1)
                job.output[share.row * job.head_dim + i] =
                    narrow<T>(sum / of_all_quads(job, memory, head, plus));
            else
                stretches.sums[(share.of_stretch + head * stretches.count) * job.head_dim + d] =
                    sum;
        }
        const int head = thread / job.judges;
        if (stretches.count == 1 || thread % job.judges != 0 || head >= share.heads) return;
        const std::int64_t at = share.of_stretch + head * stretches.count;
        stretches.maxima[at] = judgements[thread].maximum;
        stretches.normalisers[at] = of_all_quads(job, memory, head, plus);
    });
}

template <typename T, int together, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const Attend<T, together>& job, const Block& block) {
    const AttendShare share = share_of(job, block.index());
    const Visible positions = share.positions;
    if (positions.begin >= positions.end) return;
    const AttendMemory<together> memory = attend_memory(job, block.shared());
    const int tile = memory.tile;
    typename Block::template Own<ValueSums<together>> sums;
    typename Block::template Own<Judgement> judgements;
    block.alone([&](int thread) {
        sums[thread] = {};
        judgements[thread] = {float_of(0xFF800000u), 0};
    });
    load_scaled_queries(job, share, block, memory);
    for (std::int64_t at = positions.begin; at < positions.end; at += tile) {
        const int count = static_cast<int>(positions.end - at < tile ? positions.end - at : tile);
        const std::int64_t first = share.slab + at * job.head_dim;
        weigh_tile(job, job.cache.keys + first, count, block, memory, judgements);
        block.each([&](int thread) {
            if (thread < job.slots() * job.lanes())
                add_values(job, job.cache.values + first, count, thread, memory, sums[thread]);
        });
    }
    finish_share(job, share, block, memory, judgements, sums);
}

}  // namespace galapagos::cuda
