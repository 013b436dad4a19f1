// The task vector of a source: its difference from the base, read block by block.
#pragma once

#include <algorithm>
#include <cstdint>

#include "merge/job.hpp"
#include "merge/loops.hpp"

namespace galapagos {

/// A source tensor and its base; the delta itself is nowhere in memory.
struct DeltaPair {
    StoredTensor base;
    StoredTensor source;
    std::int64_t count = 0;
};

/// Elements that one thread reads at a time.
inline constexpr std::int64_t delta_chunk = 32 * block_elements;

inline std::int64_t delta_chunks(std::int64_t count) {
    return (count + delta_chunk - 1) / delta_chunk;
}

/// Calls visit(keys, first element, count) for the blocks of [begin, end): the keys are the bit
/// patterns of |delta|.
template <typename Visit>
void for_each_key_block(const DeltaPair& pair, std::int64_t begin, std::int64_t end,
                        Visit&& visit) {
    alignas(64) float base[block_elements];
    alignas(64) float source[block_elements];
    alignas(64) std::uint32_t keys[block_elements];
    for (std::int64_t at = begin; at < end; at += block_elements) {
        const std::int64_t count = std::min(block_elements, end - at);
        load_block(pair.base, at, count, base);
        load_block(pair.source, at, count, source);
        loops::magnitude_keys(base, source, keys, count);
        visit(static_cast<const std::uint32_t*>(keys), at, count);
    }
}

/// Whole numbers that stand for |delta|, so that sums come out the same in any order:
/// |delta| is about q * unit, with q up to 2^30 for the tensor's largest.
struct FixedPoint {
    float scale = 1;
    double unit = 1;
    bool finite = true;  ///< false if the delta holds an infinity or a NaN

    std::int32_t quantise(std::uint32_t key) const {
        std::int32_t q = 0;
        loops::to_fixed_point(&key, scale, &q, 1);
        return q;
    }
};

/// The bit pattern of the largest |delta|: reads all of it once.
std::uint32_t largest_magnitude(const DeltaPair& pair);

/// For a delta whose largest magnitude is known.
FixedPoint fixed_point_of(std::uint32_t largest);
inline FixedPoint fixed_point_of(const DeltaPair& pair) {
    return fixed_point_of(largest_magnitude(pair));
}

/// Factor that brings `kept`, a part of the L1 norm `total` (both in units), back to the norm that
/// it had; 1 where either norm is below 1e-7, as in mergekit.
double l1_rescale(const FixedPoint& fixed, std::int64_t total, std::int64_t kept);

}  // namespace galapagos
