#include "merge/random_mask.hpp"

#include <algorithm>
#include <cmath>

#include "base/philox.hpp"
#include "base/random.hpp"
#include "merge/vector_clones.hpp"
#include "weights/instruction_set.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace galapagos {

namespace {

constexpr std::int64_t lanes = 16;

/// Philox4x32-10 on sixteen counters at a time, in the layout of a tile.
GALAPAGOS_VECTOR_CLONES
void philox_tiles(std::uint32_t key_low, std::uint32_t key_high, std::uint32_t word1,
                  std::uint32_t word2, std::uint32_t word3, std::uint32_t first_counter,
                  std::int64_t tiles, RandomWord* __restrict words) {
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
        RandomWord* __restrict out = words + tile * mask_tile;
        const std::uint32_t counter = first_counter + static_cast<std::uint32_t>(tile * lanes);
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
            philox::State state{counter + lane, word1, word2, word3, key_low, key_high};
#pragma GCC unroll 10
            for (int round = 0; round < philox::rounds; ++round) state.advance();
            const std::uint32_t block[] = {state.c0, state.c1, state.c2, state.c3};
#pragma GCC unroll 4
            for (int word = 0; word < 4; ++word) {
                out[2 * (word * lanes + lane)] = static_cast<RandomWord>(block[word]);
                out[2 * (word * lanes + lane) + 1] = static_cast<RandomWord>(block[word] >> 16);
            }
        }
    }
}

#if defined(__x86_64__)

/// The same in AVX2, four counters to a vector, each word in the lower half of 64 bits: what the
/// upper halves hold, no multiplication sees.
__attribute__((target("avx2"))) void philox_tiles_avx2(std::uint32_t key_low,
                                                       std::uint32_t key_high, std::uint32_t word1,
                                                       std::uint32_t word2, std::uint32_t word3,
                                                       std::uint32_t first_counter,
                                                       std::int64_t tiles, RandomWord* words) {
    const __m256i multiplier0 = _mm256_set1_epi64x(philox::multiplier0),
                  multiplier1 = _mm256_set1_epi64x(philox::multiplier1);
    __m256i keys[philox::rounds][2];
    for (std::uint32_t round = 0; round < philox::rounds; ++round) {
        keys[round][0] = _mm256_set1_epi64x(key_low + round * philox::weyl0);
        keys[round][1] = _mm256_set1_epi64x(key_high + round * philox::weyl1);
    }
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
        RandomWord* out = words + tile * mask_tile;
        const std::uint32_t counter = first_counter + static_cast<std::uint32_t>(tile * lanes);
        // Each half of the counters takes two sets of vectors, the even and the odd ones: together,
        // in order. Four sets keep the multipliers busy.
        __m256i c[4][4];
        for (std::uint32_t set = 0; set < 4; ++set) {
            const std::uint32_t first = counter + set / 2 * 8 + set % 2;
            c[set][0] = _mm256_setr_epi64x(first, first + 2, first + 4, first + 6);
            c[set][1] = _mm256_set1_epi64x(word1);
            c[set][2] = _mm256_set1_epi64x(word2);
            c[set][3] = _mm256_set1_epi64x(word3);
        }
#pragma GCC unroll 10
        for (int round = 0; round < philox::rounds; ++round) {
#pragma GCC unroll 4
            for (auto& state : c) {
                const __m256i p0 = _mm256_mul_epu32(multiplier0, state[0]);
                const __m256i p1 = _mm256_mul_epu32(multiplier1, state[2]);
                state[0] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32),
                                            _mm256_xor_si256(state[1], keys[round][0]));
                state[2] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32),
                                            _mm256_xor_si256(state[3], keys[round][1]));
                state[1] = p1;
                state[3] = p0;
            }
        }
        for (int word = 0; word < 4; ++word)
            for (int half = 0; half < 2; ++half) {
                const __m256i odd = _mm256_slli_epi64(c[2 * half + 1][word], 32);
                const __m256i whole = _mm256_blend_epi32(c[2 * half][word], odd, 0xAA);
                RandomWord* target = out + 2 * (word * lanes + 8 * half);
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), whole);
            }
    }
}

#endif

using PhiloxTiles = void (*)(std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t,
                             std::uint32_t, std::uint32_t, std::int64_t, RandomWord*);

PhiloxTiles choose_philox_tiles() {
#if defined(__x86_64__)
    if (instruction_set() != InstructionSet::portable) return philox_tiles_avx2;
#endif
    return philox_tiles;
}

}  // namespace

const RandomWord* mask_words(const MaskStream& stream, std::int64_t first, std::int64_t count,
                             RandomWord* room) {
    const std::uint32_t purpose = static_cast<std::uint32_t>(Purpose::merge_mask);
    static const PhiloxTiles make_tiles = choose_philox_tiles();
    const std::int64_t first_tile = first / mask_tile;
    const std::int64_t end_tile = (first + count + mask_tile - 1) / mask_tile;
    make_tiles(static_cast<std::uint32_t>(stream.seed),
               static_cast<std::uint32_t>(stream.seed >> 32), (stream.position << 16) | purpose,
               static_cast<std::uint32_t>(stream.name_hash),
               static_cast<std::uint32_t>(stream.name_hash >> 32),
               static_cast<std::uint32_t>(first_tile * lanes), end_tile - first_tile, room);
    return room + (first - first_tile * mask_tile);
}

std::uint32_t probability_level(double density) noexcept {
    const auto level = static_cast<std::int64_t>(std::lround(density * probability_levels));
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(level, 1, probability_levels - 1));
}

}  // namespace galapagos
