#include "merge/della.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "base/parallel.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

constexpr double highest_rank = 65535;
constexpr double words = 65536;  ///< values of a random word

/// What a random word must stay below.
GALAPAGOS_VECTOR_CLONES
void rank_limits(const std::uint16_t* __restrict ranks, float lowest, float slope,
                 float* __restrict limits, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
        limits[i] = lowest + slope * static_cast<float>(ranks[i]);
}

bool is_kept(RandomWord word, float limit) { return static_cast<float>(word) + 0.5f < limit; }

/// Magnitude in the upper half, place in the row in the lower.
using Placed = std::uint64_t;

/// Sorts a row that is in the order of places by magnitude, byte by byte; equal ones stay in order.
void sort_by_magnitude(std::vector<Placed>& row, std::vector<Placed>& scratch) {
    constexpr int digits = 4, values = 256, key_shift = 32;
    const auto digit_of = [](Placed element, int digit) {
        return static_cast<std::size_t>(element >> (key_shift + 8 * digit)) % values;
    };
    std::size_t counts[digits][values] = {};
    for (const Placed element : row)
        for (int digit = 0; digit < digits; ++digit) ++counts[digit][digit_of(element, digit)];
    scratch.resize(row.size());
    for (int digit = 0; digit < digits; ++digit) {
        std::size_t* places = counts[digit];
        if (!row.empty() && places[digit_of(row.front(), digit)] == row.size()) continue;
        std::exclusive_scan(places, places + values, places, std::size_t{0});
        for (const Placed element : row) scratch[places[digit_of(element, digit)]++] = element;
        row.swap(scratch);
    }
}

}  // namespace

std::vector<std::uint16_t> ranks_in_order(std::int64_t row_length) {
    std::vector<std::uint16_t> ranks(static_cast<std::size_t>(row_length));
    const double step =
        highest_rank / static_cast<double>(std::max<std::int64_t>(1, row_length - 1));
    for (std::size_t i = 0; i < ranks.size(); ++i)
        ranks[i] = static_cast<std::uint16_t>(
            std::lround(row_length == 1 ? highest_rank / 2 : static_cast<double>(i) * step));
    return ranks;
}

std::vector<std::uint16_t> magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) {
    std::vector<std::uint16_t> ranks(static_cast<std::size_t>(pair.count));
    const std::int64_t rows = row_length == 0 ? 0 : pair.count / row_length;
    const std::vector<std::uint16_t> in_order = ranks_in_order(row_length);
    const std::int64_t grain =
        std::max<std::int64_t>(1, delta_chunk / std::max<std::int64_t>(1, row_length));
    parallel_for(0, rows, grain, [&](std::int64_t first, std::int64_t last) {
        std::vector<Placed> order, scratch;
        for (std::int64_t begin = first * row_length; begin < last * row_length;
             begin += row_length) {
            order.clear();
            for_each_key_block(pair, begin, begin + row_length,
                               [&](const std::uint32_t* keys, std::int64_t at, std::int64_t n) {
                                   for (std::int64_t i = 0; i < n; ++i)
                                       order.push_back(Placed{keys[i]} << 32 |
                                                       static_cast<Placed>(at - begin + i));
                               });
            sort_by_magnitude(order, scratch);
            std::uint16_t* row = ranks.data() + begin;
            for (std::size_t i = 0; i < order.size(); ++i)
                row[order[i] & 0xFFFFFFFFu] = in_order[i];
        }
    });
    return ranks;
}

void set_rank_probabilities(double density, double epsilon, JobInput& input) {
    input.lowest = static_cast<float>((density - epsilon) * words);
    input.slope = static_cast<float>(2 * epsilon * words / highest_rank);
}

ThinnedNorms thinned_norms(const DeltaPair& pair, const FixedPoint& fixed, const JobInput& input,
                           const MaskStream& stream) {
    std::atomic<std::int64_t> total{0}, kept{0};
    parallel_for(0, delta_chunks(pair.count), 1, [&](std::int64_t first, std::int64_t last) {
        alignas(64) RandomWord random[block_elements];
        alignas(64) std::int32_t units[block_elements];
        alignas(64) float limits[block_elements];
        std::int64_t own_total = 0, own_kept = 0;
        for_each_key_block(pair, first * delta_chunk, std::min(pair.count, last * delta_chunk),
                           [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
                               loops::to_fixed_point(keys, fixed.scale, units, count);
                               mask_words(stream, at, count, random);
                               rank_limits(input.ranks + at, input.lowest, input.slope, limits,
                                           count);
                               for (std::int64_t i = 0; i < count; ++i) {
                                   own_total += units[i];
                                   own_kept += is_kept(random[i], limits[i]) ? units[i] : 0;
                               }
                           });
        total += own_total;
        kept += own_kept;
    });
    return {total, kept};
}

void keep_by_rank(const TensorJob& job, const JobInput& input, std::int64_t global,
                  std::int64_t count, BlockBuffers& buffers) {
    alignas(64) float limits[block_elements];
    const RandomWord* random = mask_words(mask_stream(job, input), global, count, buffers.random);
    rank_limits(input.ranks + global, input.lowest, input.slope, limits, count);
    for (std::int64_t i = 0; i < count; ++i) {
        const float value = input.inverse_p
                                ? buffers.value[i] * (static_cast<float>(words) / limits[i])
                                : buffers.value[i];
        buffers.value[i] = is_kept(random[i], limits[i]) ? value : 0.0f;
    }
}

}  // namespace galapagos
