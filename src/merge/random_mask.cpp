#include "merge/random_mask.hpp"

#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

constexpr std::int64_t lanes = 16;

/// Philox4x32-10 as in base/random.cpp, on sixteen counters at a time, in the layout of a tile.
GALAPAGOS_VECTOR_CLONES
void philox_tiles(std::uint32_t key_low, std::uint32_t key_high, std::uint32_t word1,
                  std::uint32_t word2, std::uint32_t word3, std::uint32_t first_counter,
                  std::int64_t tiles, std::uint32_t* __restrict words) {
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
        std::uint32_t* __restrict out = words + tile * mask_tile;
        const std::uint32_t counter = first_counter + static_cast<std::uint32_t>(tile * lanes);
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
            std::uint32_t c0 = counter + lane, c1 = word1, c2 = word2, c3 = word3;
            std::uint32_t k0 = key_low, k1 = key_high;
#pragma GCC unroll 10
            for (int round = 0; round < 10; ++round) {
                const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
                const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
                c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
                c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
                c1 = static_cast<std::uint32_t>(p1);
                c3 = static_cast<std::uint32_t>(p0);
                k0 += 0x9E3779B9u;
                k1 += 0xBB67AE85u;
            }
            out[0 * lanes + lane] = c0;
            out[1 * lanes + lane] = c0 << 16;
            out[2 * lanes + lane] = c1;
            out[3 * lanes + lane] = c1 << 16;
            out[4 * lanes + lane] = c2;
            out[5 * lanes + lane] = c2 << 16;
            out[6 * lanes + lane] = c3;
            out[7 * lanes + lane] = c3 << 16;
        }
    }
}

}  // namespace

void mask_words(const MaskStream& stream, std::int64_t first, std::int64_t count,
                std::uint32_t* words) {
    const std::uint32_t purpose = static_cast<std::uint32_t>(Purpose::merge_mask);
    philox_tiles(static_cast<std::uint32_t>(stream.seed),
                 static_cast<std::uint32_t>(stream.seed >> 32), (stream.position << 16) | purpose,
                 static_cast<std::uint32_t>(stream.name_hash),
                 static_cast<std::uint32_t>(stream.name_hash >> 32),
                 static_cast<std::uint32_t>(first / mask_tile * lanes), count / mask_tile, words);
}

std::uint32_t probability_level(double density) noexcept {
    const auto level = static_cast<std::int64_t>(std::lround(density * probability_levels));
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(level, 1, probability_levels - 1));
}

}  // namespace galapagos
