#include "merge/order_statistic.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/parallel.hpp"
#include "merge/job.hpp"

namespace galapagos {

namespace {

constexpr std::int64_t part = 256 * block_elements;
constexpr std::size_t buckets = 1u << 16;

/// Calls visit(keys, first, count) for all blocks of [begin, end).
template <typename Visit>
void for_each_block(std::int64_t begin, std::int64_t end, const KeyBlocks& keys, Visit&& visit) {
    alignas(64) std::uint32_t block[block_elements];
    for (std::int64_t at = begin; at < end; at += block_elements) {
        const std::int64_t count = std::min(block_elements, end - at);
        keys(at, count, block);
        visit(static_cast<const std::uint32_t*>(block), at, count);
    }
}

/// Counts the keys by the upper half of their bits, or by the lower half where the upper is one of
/// `prefixes` (one table after the other).
std::vector<std::int64_t> tabulate(std::int64_t count, const KeyBlocks& keys,
                                   const std::vector<std::uint32_t>& prefixes) {
    const std::size_t tables = std::max<std::size_t>(1, prefixes.size());
    std::vector<std::int64_t> result(tables * buckets);
    std::mutex mutex;
    parallel_for(0, count, part, [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::int64_t> own(tables * buckets);
        for_each_block(begin, end, keys,
                       [&](const std::uint32_t* block, std::int64_t, std::int64_t n) {
                           for (std::int64_t i = 0; i < n; ++i) {
                               if (prefixes.empty()) ++own[block[i] >> 16];
                               for (std::size_t p = 0; p < prefixes.size(); ++p)
                                   if (block[i] >> 16 == prefixes[p])
                                       ++own[p * buckets + (block[i] & 0xFFFF)];
                           }
                       });
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < own.size(); ++i) result[i] += own[i];
    });
    return result;
}

/// The bucket that holds a place of the descending order; `place` becomes the place within it.
std::uint32_t descend(const std::int64_t* table, std::int64_t& place) {
    std::size_t bucket = buckets - 1;
    while (bucket > 0 && place >= table[bucket]) place -= table[bucket--];
    return static_cast<std::uint32_t>(bucket);
}

}  // namespace

std::vector<std::uint32_t> keys_at(std::int64_t count, const std::vector<std::int64_t>& places,
                                   const KeyBlocks& keys) {
    std::vector<std::int64_t> left = places;
    std::vector<std::uint32_t> result;
    const std::vector<std::int64_t> upper = tabulate(count, keys, {});
    for (std::int64_t& place : left) result.push_back(descend(upper.data(), place));
    const std::vector<std::int64_t> lower = tabulate(count, keys, result);
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = result[i] << 16 | descend(&lower[i * buckets], left[i]);
    return result;
}

KeyCut cut_largest(std::int64_t count, std::int64_t k, const KeyBlocks& keys) {
    KeyCut cut;
    cut.threshold = keys_at(count, {k - 1}, keys).front();
    std::atomic<std::int64_t> larger{0};
    const auto parts = static_cast<std::size_t>((count + part - 1) / part);
    std::vector<std::int64_t> ties(parts);
    parallel_for(
        0, static_cast<std::int64_t>(parts), 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t p = first; p < last; ++p)
                for_each_block(p * part, std::min(count, (p + 1) * part), keys,
                               [&](const std::uint32_t* block, std::int64_t, std::int64_t n) {
                                   std::int64_t above = 0, equal = 0;
                                   for (std::int64_t i = 0; i < n; ++i) {
                                       above += block[i] > cut.threshold;
                                       equal += block[i] == cut.threshold;
                                   }
                                   larger += above;
                                   ties[static_cast<std::size_t>(p)] += equal;
                               });
        });
    std::int64_t wanted = k - larger;
    std::size_t p = 0;
    while (ties[p] < wanted) wanted -= ties[p++];
    const std::int64_t begin = static_cast<std::int64_t>(p) * part;
    for_each_block(begin, std::min(count, begin + part), keys,
                   [&](const std::uint32_t* block, std::int64_t at, std::int64_t n) {
                       for (std::int64_t i = 0; i < n && wanted > 0; ++i)
                           if (block[i] == cut.threshold && --wanted == 0) cut.last_tie = at + i;
                   });
    return cut;
}

std::int64_t count_nonzero(std::int64_t count, const KeyBlocks& keys) {
    std::atomic<std::int64_t> total{0};
    parallel_for(0, count, part, [&](std::int64_t begin, std::int64_t end) {
        for_each_block(begin, end, keys,
                       [&](const std::uint32_t* block, std::int64_t, std::int64_t n) {
                           std::int64_t own = 0;
                           for (std::int64_t i = 0; i < n; ++i) own += block[i] != 0;
                           total += own;
                       });
    });
    return total;
}

}  // namespace galapagos
