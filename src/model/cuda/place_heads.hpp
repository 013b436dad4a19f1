// From the products of a layer's first half to what attention reads: queries, keys and values taken
// apart, heads normed and rotated, keys and values put into the cache.
#pragma once

#include <cstdint>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"
#include "model/cuda/norm_rows.hpp"

namespace galapagos::cuda {

/// Where a token lies in the cache.
struct Place {
    std::int32_t row;
    std::int32_t position;
};

/// Heads as a product left them: that of a token at data + token * token_stride + head *
/// head_stride.
template <typename T>
struct HeadSource {
    const T* data = nullptr;
    std::int64_t token_stride = 0;
    std::int64_t head_stride = 0;
};

/// The key-value cache of one hop: [row][kv head][position][head_dim].
template <typename T>
struct CacheSlot {
    T* keys = nullptr;
    T* values = nullptr;
    std::int64_t row_stride = 0;
    std::int64_t head_stride = 0;
};

/// Tokens [first_token, first_token + tokens), a block for some heads of one token. Queries may
/// stay where they are.
template <typename T>
struct PlaceHeads {
    static constexpr int threads = 128;

    HeadSource<T> query, key, value;
    T* queries = nullptr;  ///< [token][query head][head_dim]
    CacheSlot<T> cache;
    const Place* places = nullptr;  ///< of every token of the pass
    std::int64_t first_token = 0;
    std::int64_t tokens = 0;
    int query_heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
    Norm<T> query_norm, key_norm;    ///< without weight: none
    const float* cosines = nullptr;  ///< [position][rotary_dim / 2]; null: heads are not rotated
    const float* sines = nullptr;
    int rotary_dim = 0;

    /// Threads that share a head.
    GALAPAGOS_HOST_DEVICE int team() const { return static_cast<int>(chunks_of(head_dim)); }
    GALAPAGOS_HOST_DEVICE int heads_in_block() const { return threads / team(); }
    GALAPAGOS_HOST_DEVICE int heads() const { return query_heads + 2 * kv_heads; }
    GALAPAGOS_HOST_DEVICE std::int64_t blocks_of_token() const {
        return (heads() + heads_in_block() - 1) / heads_in_block();
    }
    std::int64_t blocks() const { return tokens * blocks_of_token(); }
    int shared_floats() const { return heads_in_block() * (team() * chunk_elements + team()); }
};

/// One head of one token on its way.
template <typename T>
struct HeadMove {
    const T* source = nullptr;
    T* target = nullptr;
    Norm<T> norm;
    bool rotated = false;
    std::int64_t position = 0;
};

/// Head `number` of all of a token's heads: queries, then keys, then values.
template <typename T>
GALAPAGOS_HOST_DEVICE inline HeadMove<T> head_move(const PlaceHeads<T>& job, std::int64_t token,
                                                   int number) {
    const Place place = job.places[token];
    const auto source_of = [&](const HeadSource<T>& source, int head) {
        return source.data + token * source.token_stride + head * source.head_stride;
    };
    HeadMove<T> move;
    move.position = place.position;
    move.rotated = job.cosines != nullptr;
    if (number < job.query_heads) {
        move.source = source_of(job.query, number);
        move.target = job.queries + (token * job.query_heads + number) * job.head_dim;
        move.norm = job.query_norm;
        return move;
    }
    const bool is_key = number < job.query_heads + job.kv_heads;
    const int head = number - job.query_heads - (is_key ? 0 : job.kv_heads);
    move.source = source_of(is_key ? job.key : job.value, head);
    move.target = (is_key ? job.cache.keys : job.cache.values) + place.row * job.cache.row_stride +
                  head * job.cache.head_stride + std::int64_t{place.position} * job.head_dim;
    if (is_key) move.norm = job.key_norm;
    move.rotated = move.rotated && is_key;
    return move;
}

/// Element d of a head after rotation: pairs (d, d + rotary_dim / 2).
template <typename T>
GALAPAGOS_HOST_DEVICE inline float rotated_element(const PlaceHeads<T>& job, const float* head,
                                                   std::int64_t position, int d) {
    if (d >= job.rotary_dim) return head[d];
    const int half = job.rotary_dim / 2;
    const int pair = d < half ? d : d - half;
    const float cosine = job.cosines[position * half + pair];
    const float sine = job.sines[position * half + pair];
    const float other = d < half ? -head[d + half] : head[pair];
    return rounded<T>(head[d] * cosine) + rounded<T>(other * sine);
}

/// The sum of what a head's threads left, in their order.
GALAPAGOS_HOST_DEVICE inline float team_sum(const float* terms, int team) {
    float sum = terms[0];
    for (int i = 1; i < team; ++i) sum += terms[i];
    return sum;
}

template <typename T, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const PlaceHeads<T>& job, const Block& block) {
    const int team = job.team();
    const int heads = job.heads_in_block();
    const std::int64_t token = job.first_token + block.index() / job.blocks_of_token();
    const int first_head = static_cast<int>(block.index() % job.blocks_of_token()) * heads;
    float* const terms = block.shared() + heads * team * chunk_elements;

    // Calls work(move, the head in shared memory, its terms, this thread's number and chunk).
    const auto each_chunk = [&](auto&& work) {
        block.each([&](int thread) {
            const int slot = thread / team, lane = thread % team;
            if (slot >= heads || first_head + slot >= job.heads()) return;
            work(head_move(job, token, first_head + slot),
                 block.shared() + slot * team * chunk_elements, terms + slot * team, lane,
                 chunk_at(lane, job.head_dim));
        });
    };

    each_chunk([&](const HeadMove<T>& move, float* head, float* sums, int lane, Chunk chunk) {
        float x[chunk_elements];
        load_chunk(move.source + chunk.first, chunk.count, x);
        float sum = 0;
        for (int i = 0; i < chunk_elements; ++i) {
            head[chunk.first + i] = x[i];
            sum = multiply_add(x[i], x[i], sum);
        }
        sums[lane] = sum;
    });
    each_chunk([&](const HeadMove<T>& move, float* head, float* sums, int, Chunk chunk) {
        if (move.norm.weight == nullptr) return;
        const float scale = norm_scale(team_sum(sums, team), job.head_dim, move.norm.epsilon);
        float weight[chunk_elements];
        load_chunk(move.norm.weight + chunk.first, chunk.count, weight);
        for (int i = 0; i < chunk_elements; ++i) {
            float& x = head[chunk.first + i];
            x = rounded<T>(normed_element<T>(move.norm.kind, x, 0.0f, scale, weight[i], 0.0f));
        }
    });
    each_chunk([&](const HeadMove<T>& move, float* head, float*, int, Chunk chunk) {
        float x[chunk_elements];
        for (int i = 0; i < chunk_elements; ++i) {
            const int d = static_cast<int>(chunk.first) + i;
            x[i] = move.rotated && i < chunk.count ? rotated_element(job, head, move.position, d)
                                                   : head[d];
        }
        store_chunk(x, move.target + chunk.first, chunk.count);
    });
}

}  // namespace galapagos::cuda
