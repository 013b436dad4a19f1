// What the passes of statistics hold in the device's memory while they run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "merge/cuda/merge_memory.hpp"
#include "merge/cuda/selection.hpp"
#include "merge/cuda/statistic_job.hpp"
#include "merge/placed_key.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::cuda {

/// The table of a launch, and its results behind it.
inline std::size_t launch_bytes(std::size_t entries, std::size_t results) {
    return aligned(entries * sizeof(StatisticJob)) + results;
}

/// Counters of keys come in at most this many buckets.
inline constexpr std::size_t most_buckets = std::size_t{1} << 16;
inline constexpr std::size_t key_count_bytes = most_buckets * sizeof(KeyBucket);

/// Counters of ties in a tensor's chunks.
inline std::size_t tie_bytes(std::size_t chunks) { return aligned(chunks * sizeof(std::uint32_t)); }

/// Elements that are collected at a time, unless a single tensor has more.
inline constexpr std::int64_t most_collected = std::int64_t{1} << 23;
/// Of a selection: how many were collected, the key, the sum.
inline constexpr std::size_t select_numbers = 3;
/// Selections of `requests` tensors among `collected` elements.
inline std::size_t select_bytes(std::size_t requests, std::int64_t collected) {
    return aligned(select_numbers * requests * sizeof(std::uint64_t)) +
           static_cast<std::size_t>(collected) * sizeof(PlacedKey);
}

/// Of an element that is searched for on several ranks: how many each has collected, and how many
/// of them go on with each digit, with the sums of their units.
inline constexpr std::size_t digit_numbers = 1 + 2 * PlacedDigits::digits;
inline std::size_t search_bytes(std::size_t searches, std::int64_t collected) {
    return aligned(digit_numbers * searches * sizeof(std::uint64_t)) +
           static_cast<std::size_t>(collected) * sizeof(PlacedKey);
}

/// Blocks that sort rows at a time, each in memory of its own: twice a row.
inline std::int64_t sorting_blocks(std::int64_t rows) { return std::min<std::int64_t>(rows, 512); }
/// The table of numbers in order, and that memory.
inline std::size_t row_sort_bytes(std::int64_t rows, std::int64_t row_length) {
    const auto length = static_cast<std::size_t>(row_length);
    return aligned(length * sizeof(std::uint16_t)) +
           static_cast<std::size_t>(sorting_blocks(rows)) * 2 * length * sizeof(PlacedKey);
}

/// Units of a task vector before and after thinning.
inline constexpr std::size_t thinned_sum_bytes = 2 * sizeof(std::uint64_t);

}  // namespace galapagos::cuda
