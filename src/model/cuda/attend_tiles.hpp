// Attention of prompts: a block takes up to 64 neighbouring tokens of a cache row and one query
// head, and multiplies tiles of bf16 with fp32 sums. Weights are rounded to bf16 before they meet
// the values.
#pragma once

#include <cstdint>

#include "model/cuda/attend.hpp"
#include "model/cuda/tile_products.hpp"

namespace galapagos::cuda {

/// Neighbouring tokens of a pass that continue one cache row.
struct TokenTile {
    std::int32_t first_token;
    std::int32_t count;  ///< at most tile_tokens
};
inline constexpr int tile_tokens = 64;
/// Segments of fewer tokens attend one by one: a tile would be mostly empty.
inline constexpr std::int64_t fewest_tiled_tokens = 8;
/// Wider heads attend one token at a time.
inline constexpr int widest_tiled_head = 128;

/// The heads and settings of AttendTokens, for tiles of tokens.
struct AttendTiles : AttendTokens<Bf16> {
    const TokenTile* tiles = nullptr;
    std::int64_t tile_count = 0;
};

/// The same as a kernel for heads of at most `width`, filled up with zeros.
template <int width>
struct AttendTilesAt : AttendTiles {
    static constexpr int threads = 128;
    /// Keys at a time.
    static constexpr int keys = 32;
    /// Words from one key to the next, and from one element of the values to the next: threads of a
    /// warp then read from different banks.
    static constexpr int key_stride = width / 2 + 4;
    static constexpr int value_stride = keys / 2 + 4;

    std::int64_t blocks() const { return tile_count * query_heads; }
    int shared_floats() const { return keys * key_stride + width * value_stride; }
};

template <typename Run>
void with_width(const AttendTiles& job, Run&& run) {
    if (job.head_dim <= 64) return run(AttendTilesAt<64>{job});
    run(AttendTilesAt<widest_tiled_head>{job});
}

/// A thread's part of 16 tokens' queries.
template <int width>
struct TiledQueries {
    TileA step[width / 16];
};
/// Of their scores with a block of keys.
struct TiledScores {
    TileSums of[4];
};
/// Of what they have seen so far; two rows a thread.
template <int width>
struct TiledAnswers {
    TileSums of[width / 8];
};
struct RowPair {
    float of[2];
};

/// What the threads of a block work on.
struct TiledPlace {
    std::int64_t first_token;
    std::int64_t position;  ///< of the first token
    std::int64_t slab;      ///< where the head's keys begin in the cache
    int count;              ///< of tokens
    int query_head;

    /// The number, in the tile, of a thread's first row; its second is eight further.
    GALAPAGOS_HOST_DEVICE static int row(int thread) {
        return thread / warp_threads * 16 + tile_line(thread);
    }
};

template <int width>
GALAPAGOS_HOST_DEVICE inline TiledPlace place_of(const AttendTilesAt<width>& job,
                                                 std::int64_t block) {
    const TokenTile tile = job.tiles[block / job.query_heads];
    const int query_head = static_cast<int>(block % job.query_heads);
    const Place place = job.places[tile.first_token];
    return {tile.first_token, place.position,
            place.row * job.cache.row_stride + query_head / job.group() * job.cache.head_stride,
            tile.count, query_head};
}

/// Two neighbouring elements of a head as a word; zeros beyond its end.
GALAPAGOS_HOST_DEVICE inline std::uint32_t pair_of(const Bf16* head, int d, int head_dim) {
    const std::uint32_t low = d < head_dim ? static_cast<std::uint32_t>(head[d]) : 0;
    const std::uint32_t high = d + 1 < head_dim ? static_cast<std::uint32_t>(head[d + 1]) : 0;
    return low | high << 16;
}

/// A chunk of a head as words; zeros beyond its end and in rows that aren't there.
GALAPAGOS_HOST_DEVICE inline Vector chunk_words(const Bf16* row, bool there, int d, int head_dim) {
    const int left = head_dim - d;
    if (there && left >= chunk_elements && whole_vectors(row + d, chunk_elements))
        return load_vector(row + d);
    Vector words = {};
    for (int i = 0; i < 4; ++i)
        if (there) words.word[i] = pair_of(row, d + 2 * i, head_dim);
    return words;
}

/// Puts a block of keys into shared memory, [key][element].
template <int width>
GALAPAGOS_HOST_DEVICE inline void bring_keys(const AttendTilesAt<width>& job, const Bf16* from,
                                             int count, int thread, std::uint32_t* target) {
    constexpr int chunks = width / chunk_elements;
    for (int i = thread; i < job.keys * chunks; i += job.threads) {
        const int key = i / chunks, d = i % chunks * chunk_elements;
        const Vector words =
            chunk_words(from + std::int64_t{key} * job.head_dim, key < count, d, job.head_dim);
        for (int word = 0; word < 4; ++word)
            target[key * job.key_stride + d / 2 + word] = words.word[word];
    }
}

/// Puts a block of values into shared memory, turned: [element][key].
template <int width>
GALAPAGOS_HOST_DEVICE inline void bring_values(const AttendTilesAt<width>& job, const Bf16* from,
                                               int count, int thread, std::uint32_t* target) {
    constexpr int pairs = AttendTilesAt<width>::keys / 2;
    for (int i = thread; i < pairs * (width / chunk_elements); i += job.threads) {
        const int pair = i % pairs, d = i / pairs * chunk_elements;
        const Bf16* row = from + std::int64_t{2 * pair} * job.head_dim;
        const Vector even = chunk_words(row, 2 * pair < count, d, job.head_dim);
        const Vector odd = chunk_words(row + job.head_dim, 2 * pair + 1 < count, d, job.head_dim);
        for (int word = 0; word < 4; ++word) {
            const std::uint32_t a = even.word[word], b = odd.word[word];
            std::uint32_t* place = target + (d + 2 * word) * job.value_stride + pair;
            place[0] = (a & 0xFFFFu) | b << 16;
            place[job.value_stride] = a >> 16 | (b & 0xFFFF0000u);
        }
    }
}

/// Scores as the softmax takes them: scaled, capped, minus infinity where a token doesn't see a
/// key.
template <int width>
GALAPAGOS_HOST_DEVICE inline void finish_scores(const AttendTilesAt<width>& job,
                                                std::int64_t first_key, const TiledPlace& place,
                                                int thread, TiledScores& scores) {
    for (int tile = 0; tile < 4; ++tile)
        for (int i = 0; i < 4; ++i) {
            const std::int64_t key = first_key + 8 * tile + tile_pair(thread) + i % 2;
            const std::int64_t position = place.position + place.row(thread) + i / 2 * 8;
            float& score = scores.of[tile].of[i];
            score *= job.scale;
            if (job.softcap != 0.0f) score = job.softcap * hyperbolic_tangent(score / job.softcap);
            const bool seen = key <= position && (job.window == 0 || key > position - job.window);
            if (!seen) score = float_of(0xFF800000u);
        }
}

/// The rows' maxima over a thread's scores.
GALAPAGOS_HOST_DEVICE inline RowPair row_maxima(const TiledScores& scores, const RowPair& before) {
    RowPair result = before;
    for (int tile = 0; tile < 4; ++tile)
        for (int i = 0; i < 4; ++i) {
            float& maximum = result.of[i / 2];
            const float score = scores.of[tile].of[i];
            maximum = score > maximum ? score : maximum;
        }
    return result;
}

/// Turns scores into weights under new maxima, and brings what was summed under the old ones along.
template <int width>
GALAPAGOS_HOST_DEVICE inline void weigh(const RowPair& maxima, RowPair& old_maxima,
                                        TiledScores& scores, RowPair& normalisers,
                                        TiledAnswers<width>& answers) {
    for (int row = 0; row < 2; ++row) {
        const bool nothing_yet = maxima.of[row] == float_of(0xFF800000u);
        const float base = nothing_yet ? 0.0f : maxima.of[row];
        const float correction = exponential(old_maxima.of[row] - base);
        float sum = 0;
        for (int tile = 0; tile < 4; ++tile)
            for (int i = 2 * row; i < 2 * row + 2; ++i) {
                float& score = scores.of[tile].of[i];
                score = exponential(score - base);
                sum += score;
            }
        normalisers.of[row] = normalisers.of[row] * correction + sum;
        for (int tile = 0; tile < width / 8; ++tile)
            for (int i = 2 * row; i < 2 * row + 2; ++i) answers.of[tile].of[i] *= correction;
        old_maxima.of[row] = maxima.of[row];
    }
}

/// The weights of sixteen keys as the next product takes them.
GALAPAGOS_HOST_DEVICE inline TileA packed_weights(const TiledScores& scores, int step) {
    TileA result;
    for (int i = 0; i < 4; ++i) {
        const float* pair = scores.of[2 * step + i / 2].of + i % 2 * 2;
        result.words[i] = to_bf16_pair(pair[0], pair[1]);
    }
    return result;
}

template <int width>
GALAPAGOS_HOST_DEVICE inline TiledQueries<width> load_queries(const AttendTilesAt<width>& job,
                                                              const TiledPlace& place, int thread) {
    TiledQueries<width> queries;
    for (int step = 0; step < width / 16; ++step)
        for (int word = 0; word < 4; ++word) {
            const int row = place.row(thread) + word % 2 * 8;
            const int d = 16 * step + word / 2 * 8 + tile_pair(thread);
            const Bf16* head =
                job.queries +
                ((place.first_token + row) * job.query_heads + place.query_head) * job.head_dim;
            queries.step[step].words[word] = row < place.count ? pair_of(head, d, job.head_dim) : 0;
        }
    return queries;
}

template <int width>
GALAPAGOS_HOST_DEVICE inline void store_answers(const AttendTilesAt<width>& job,
                                                const TiledPlace& place, int thread,
                                                const RowPair& normalisers,
                                                const TiledAnswers<width>& answers) {
    for (int tile = 0; tile < width / 8; ++tile)
        for (int i = 0; i < 4; ++i) {
            const int row = place.row(thread) + i / 2 * 8;
            const int d = 8 * tile + tile_pair(thread) + i % 2;
            if (row >= place.count || d >= job.head_dim) continue;
            job.output[((place.first_token + row) * job.query_heads + place.query_head) *
                           job.head_dim +
                       d] = narrow<Bf16>(answers.of[tile].of[i] / normalisers.of[i / 2]);
        }
}

template <int width, typename Block>
GALAPAGOS_HOST_DEVICE inline void run_block(const AttendTilesAt<width>& job, const Block& block) {
    using Job = AttendTilesAt<width>;
    const TiledPlace place = place_of(job, block.index());
    const std::int64_t end = place.position + place.count;
    const std::int64_t oldest = place.position + 1 - job.window;
    const std::int64_t begin = job.window > 0 && oldest > 0 ? oldest : 0;
    std::uint32_t* const keys = reinterpret_cast<std::uint32_t*>(block.shared());
    std::uint32_t* const values = keys + Job::keys * Job::key_stride;

    typename Block::template Own<TiledQueries<width>> queries;
    typename Block::template Own<TiledScores> scores;
    typename Block::template Own<TiledAnswers<width>> answers;
    typename Block::template Own<RowPair> maxima, old_maxima, normalisers;
    typename Block::template Own<TileA> weights;
    typename Block::template Own<TileB> tile;
    block.alone([&](int thread) {
        queries[thread] = load_queries(job, place, thread);
        answers[thread] = {};
        normalisers[thread] = {};
        old_maxima[thread] = {{float_of(0xFF800000u), float_of(0xFF800000u)}};
    });
    for (std::int64_t at = begin; at < end; at += Job::keys) {
        const int count = static_cast<int>(end - at < Job::keys ? end - at : Job::keys);
        const std::int64_t first = place.slab + at * job.head_dim;
        block.each([&](int thread) {
            bring_keys(job, job.cache.keys + first, count, thread, keys);
            bring_values(job, job.cache.values + first, count, thread, values);
        });
        block.alone([&](int thread) { scores[thread] = {}; });
        GALAPAGOS_UNROLL
        for (int number = 0; number < 4 * (width / 16); ++number) {
            const int column = number % 4, step = number / 4;
            block.alone([&](int thread) {
                const std::uint32_t* key =
                    keys + (8 * column + tile_line(thread)) * Job::key_stride;
                const int word = 8 * step + tile_pair(thread) / 2;
                tile[thread] = {{key[word], key[word + 4]}};
            });
            block.multiply_tiles([&](int thread) {
                return TileOperands{scores[thread].of[column], queries[thread].step[step],
                                    tile[thread]};
            });
        }
        block.alone([&](int thread) {
            finish_scores(job, at, place, thread, scores[thread]);
            maxima[thread] = row_maxima(scores[thread], old_maxima[thread]);
        });
        block.across_quads(maxima, [](float a, float b) { return a > b ? a : b; });
        block.alone([&](int thread) {
            weigh(maxima[thread], old_maxima[thread], scores[thread], normalisers[thread],
                  answers[thread]);
        });
        GALAPAGOS_UNROLL
        for (int step = 0; step < Job::keys / 16; ++step) {
            block.alone(
                [&](int thread) { weights[thread] = packed_weights(scores[thread], step); });
            GALAPAGOS_UNROLL
            for (int column = 0; column < width / 8; ++column) {
                block.alone([&](int thread) {
                    const std::uint32_t* value =
                        values + (8 * column + tile_line(thread)) * Job::value_stride;
                    const int word = 8 * step + tile_pair(thread) / 2;
                    tile[thread] = {{value[word], value[word + 4]}};
                });
                block.multiply_tiles([&](int thread) {
                    return TileOperands{answers[thread].of[column], weights[thread], tile[thread]};
                });
            }
        }
        block.each([](int) {});  // all have read the keys and values
    }
    block.across_quads(normalisers, [](float a, float b) { return a + b; });
    block.alone([&](int thread) {
        store_answers(job, place, thread, normalisers[thread], answers[thread]);
    });
}

}  // namespace galapagos::cuda
