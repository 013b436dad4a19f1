// The k-th largest of values that are computed block by block and lie nowhere in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace galapagos {

/// Writes the keys of elements [first, first + count); count <= block_elements. Keys are bit
/// patterns of values that are not negative, so they are ordered as the values are.
using KeyBlocks = std::function<void(std::int64_t first, std::int64_t count, std::uint32_t* keys)>;

/// The keys that have the given numbers of larger (or equal, earlier) ones before them in
/// descending order: places from 0 to count - 1. Reads all keys twice.
std::vector<std::uint32_t> keys_at(std::int64_t count, const std::vector<std::int64_t>& places,
                                   const KeyBlocks& keys);

struct KeyCut {
    std::uint32_t threshold = 0;  ///< larger keys are kept
    std::int64_t last_tie = 0;    ///< equal ones up to this element, too
};

/// Where to cut to keep the k largest, 1 <= k <= count. Of equal keys the earlier are kept.
KeyCut cut_largest(std::int64_t count, std::int64_t k, const KeyBlocks& keys);

/// How many keys are not zero.
std::int64_t count_nonzero(std::int64_t count, const KeyBlocks& keys);

}  // namespace galapagos
