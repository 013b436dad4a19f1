#include "merge/key_counts.hpp"

#include <mutex>

#include "base/parallel.hpp"
#include "merge/key_scan.hpp"

namespace galapagos {

namespace {

constexpr std::int64_t counting_chunk = 32 * delta_chunk;

/// Adds up the counters of all chunks: count(begin, end, counters) fills those of one, two for each
/// bucket.
template <typename Count>
std::vector<KeyBucket> count_chunks(std::int64_t elements, std::size_t buckets,
                                    const Count& count) {
    std::vector<KeyBucket> result(buckets);
    std::mutex mutex;
    parallel_for(0, elements, counting_chunk, [&](std::int64_t begin, std::int64_t end) {
        // Two sets of counters, taken in turns: runs of one value don't wait for their own sums.
        std::vector<KeyBucket> own(2 * buckets);
        count(begin, end, own);
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < buckets; ++i) {
            result[i].count += own[2 * i].count + own[2 * i + 1].count;
            result[i].sum += own[2 * i].sum + own[2 * i + 1].sum;
        }
    });
    return result;
}

}  // namespace

std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                  const KeyRange& range) {
    const auto [low, high, shift] = range;
    const auto count = [&, low = low, high = high, shift = shift](
                           std::int64_t begin, std::int64_t end, std::vector<KeyBucket>& buckets) {
        alignas(64) std::int32_t units[block_elements] = {};
        const auto add = [&](const std::uint32_t* keys, std::int64_t, std::int64_t elements) {
            if (fixed.finite) loops::to_fixed_point(keys, fixed.scale, units, elements);
            for (std::int64_t i = 0; i < elements; ++i) {
                const std::uint32_t offset = keys[i] - low;
                if (offset > high - low) continue;
                KeyBucket& bucket =
                    buckets[2 * (offset >> shift) + static_cast<std::size_t>(i & 1)];
                bucket.count += 1;
                bucket.sum += units[i];
            }
        };
        if (high - low == magnitude_bits) return for_each_key_block(pair, begin, end, add);
        for_each_matching_run(pair, begin, end, low, high,
                              [&](std::int64_t at, std::int64_t length, std::int64_t) {
                                  for_each_key_block(pair, at, at + length, add);
                              });
    };
    return count_chunks(pair.count, range.buckets(), count);
}

}  // namespace galapagos
