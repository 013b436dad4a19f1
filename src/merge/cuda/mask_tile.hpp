// The random words of merge/random_mask.hpp, for a GPU: sixteen threads share the words of a tile.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"
#include "base/philox.hpp"
#include "base/random.hpp"
#include "merge/random_mask.hpp"

namespace galapagos::cuda {

inline constexpr int mask_lanes = 16;

/// What keys an input's random words, as Philox wants it.
struct MaskKey {
    std::uint32_t seed[2];
    std::uint32_t counter[3];  ///< the words of the counter above the first
};

GALAPAGOS_HOST_DEVICE inline MaskKey mask_key(std::uint64_t seed, std::uint64_t name_hash,
                                              std::uint32_t position) {
    return {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
            {position << 16 | static_cast<std::uint32_t>(Purpose::merge_mask),
             static_cast<std::uint32_t>(name_hash), static_cast<std::uint32_t>(name_hash >> 32)}};
}

/// The four words that Philox gives for each of a tile's sixteen counters.
struct alignas(16) MaskTile {
    std::uint32_t word[4][mask_lanes];
};

/// Four words for one counter: each serves two elements.
struct MaskWords {
    std::uint32_t word[4];
};

GALAPAGOS_HOST_DEVICE inline MaskWords mask_words_of(const MaskKey& key, std::uint32_t counter) {
    philox::State state{counter,        key.counter[0], key.counter[1],
                        key.counter[2], key.seed[0],    key.seed[1]};
    for (int round = 0; round < philox::rounds; ++round) state.advance();
    return {{state.c0, state.c1, state.c2, state.c3}};
}

/// The counter of the tile that begins at element `begin` (a multiple of mask_tile) and a lane.
GALAPAGOS_HOST_DEVICE inline std::uint32_t mask_counter(std::int64_t begin, int lane) {
    return static_cast<std::uint32_t>(begin / mask_tile * mask_lanes) +
           static_cast<std::uint32_t>(lane);
}

/// Chosen, not indexed: a GPU keeps what is indexed in memory.
GALAPAGOS_HOST_DEVICE inline std::uint32_t chosen(const MaskWords& words, int number) {
    const std::uint32_t low = number % 2 == 0 ? words.word[0] : words.word[1];
    const std::uint32_t high = number % 2 == 0 ? words.word[2] : words.word[3];
    return number < 2 ? low : high;
}

/// A lane's share of making a tile. The tile is whole once all sixteen have done theirs.
GALAPAGOS_HOST_DEVICE inline void fill_lane(MaskTile& tile, const MaskKey& key, std::int64_t begin,
                                            int lane) {
    const MaskWords words = mask_words_of(key, mask_counter(begin, lane));
    for (int w = 0; w < 4; ++w) tile.word[w][lane] = words.word[w];
}

/// Element `j` of a tile has half of word `word_of(j)` of lane `lane_of(j)`.
GALAPAGOS_HOST_DEVICE inline int word_of(int j) { return j / (2 * mask_lanes); }
GALAPAGOS_HOST_DEVICE inline int lane_of(int j) { return j % (2 * mask_lanes) / 2; }
GALAPAGOS_HOST_DEVICE inline RandomWord half_word(std::uint32_t word, int j) {
    return static_cast<RandomWord>(j % 2 == 0 ? word : word >> 16);
}
GALAPAGOS_HOST_DEVICE inline RandomWord word_in_tile(const MaskTile& tile, int j) {
    return half_word(tile.word[word_of(j)][lane_of(j)], j);
}

/// The same for a single element of the tensor, eight times the work.
GALAPAGOS_HOST_DEVICE inline RandomWord word_of_element(const MaskKey& key, std::int64_t element) {
    const int j = static_cast<int>(element % mask_tile);
    const MaskWords words = mask_words_of(key, mask_counter(element - j, lane_of(j)));
    return half_word(chosen(words, word_of(j)), j);
}

}  // namespace galapagos::cuda
