#include "merge/mask_table.hpp"

#include <algorithm>
#include <mutex>

#include "base/parallel.hpp"

namespace galapagos {

namespace {

void add_chunk(const DeltaPair& pair, const FixedPoint& fixed, const MaskStream& stream,
               std::int64_t begin, std::int64_t end, std::vector<std::int64_t>& sums) {
    alignas(64) RandomWord words[block_elements];
    alignas(64) std::int32_t units[block_elements];
    for_each_key_block(pair, begin, end,
                       [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
                           loops::to_fixed_point(keys, fixed.scale, units, count);
                           mask_words(stream, at, count, words);
                           for (std::int64_t i = 0; i < count; ++i)
                               sums[words[i] >> (16 - probability_bits)] += units[i];
                       });
}

}  // namespace

std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                        const MaskStream& stream) {
    constexpr std::int64_t chunk = 16 * delta_chunk;
    std::vector<std::int64_t> result(probability_levels);
    std::mutex mutex;
    parallel_for(0, pair.count, chunk, [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::int64_t> sums(probability_levels);
        add_chunk(pair, fixed, stream, begin, end, sums);
        const std::lock_guard lock(mutex);
        for (std::size_t level = 0; level < sums.size(); ++level) result[level] += sums[level];
    });
    return result;
}

MaskTable::MaskTable(const DeltaPair& pair, const FixedPoint& fixed, const MaskStream& stream,
                     StatisticPasses& passes)
    : stream_(stream), kept_(probability_levels + 1) {
    if (!fixed.finite) return;
    const std::vector<std::int64_t> sums = passes.sums_by_level(pair, fixed, stream);
    for (std::size_t level = 0; level < sums.size(); ++level)
        kept_[level + 1] = kept_[level] + sums[level];
}

}  // namespace galapagos
