// The matrix units of a GPU as a block sees them: a warp multiplies a 16 x 16 tile by a 16 x 8
// tile, bf16 with fp32 sums, each thread holding some elements of all three (mma.m16n8k16 of PTX).
#pragma once

#include <cstdint>

#include "base/host_device.hpp"

namespace galapagos::cuda {

inline constexpr int warp_threads = 32;
/// Threads that hold a row together.
inline constexpr int quad_threads = 4;

/// A number of each thread that quads put together.
struct OfQuad {
    float of[1];
};

/// Two bf16 neighbours a word.
struct TileA {
    std::uint32_t words[4];
};
struct TileB {
    std::uint32_t words[2];
};
struct TileSums {
    float of[4];
};

/// Row of a thread's element of A (words 0 and 2; words 1 and 3 are eight rows further) and of the
/// sums (0 and 1; 2 and 3 eight rows further); column of its element of B.
GALAPAGOS_HOST_DEVICE inline int tile_line(int thread) {
    return thread % warp_threads / quad_threads;
}
/// First of the two neighbours along the summed dimension in a word of A (words 0 and 1; 2 and 3
/// are eight further) and of B (word 0; 1 is eight further), and of the sums' columns.
GALAPAGOS_HOST_DEVICE inline int tile_pair(int thread) { return 2 * (thread % quad_threads); }

/// What a thread brings to a product of tiles: sums += a * b.
struct TileOperands {
    TileSums& sums;
    const TileA& a;
    const TileB& b;
};

}  // namespace galapagos::cuda
