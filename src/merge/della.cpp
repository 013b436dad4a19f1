#include "merge/della.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

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

}  // namespace

std::vector<std::uint16_t> magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) {
    std::vector<std::uint16_t> ranks(static_cast<std::size_t>(pair.count));
    const std::int64_t rows = row_length == 0 ? 0 : pair.count / row_length;
    const double step =
        highest_rank / static_cast<double>(std::max<std::int64_t>(1, row_length - 1));
    parallel_for(
        0, rows, std::max<std::int64_t>(1, delta_chunk / std::max<std::int64_t>(1, row_length)),
        [&](std::int64_t first, std::int64_t last) {
            std::vector<std::uint64_t> order(static_cast<std::size_t>(row_length));
            for (std::int64_t row = first; row < last; ++row) {
                const std::int64_t begin = row * row_length;
                for_each_key_block(pair, begin, begin + row_length,
                                   [&](const std::uint32_t* keys, std::int64_t at, std::int64_t n) {
                                       for (std::int64_t i = 0; i < n; ++i)
                                           order[static_cast<std::size_t>(at - begin + i)] =
                                               static_cast<std::uint64_t>(keys[i]) << 32 |
                                               static_cast<std::uint64_t>(at - begin + i);
                                   });
                std::sort(order.begin(), order.end());
                for (std::size_t rank = 0; rank < order.size(); ++rank)
                    ranks[static_cast<std::size_t>(begin) + (order[rank] & 0xFFFFFFFFu)] =
                        static_cast<std::uint16_t>(std::lround(
                            row_length == 1 ? highest_rank / 2 : static_cast<double>(rank) * step));
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
