// A tensor of which statistics are taken: an entry of the table of a launch.
#pragma once

#include <cstdint>
#include <vector>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/pack.hpp"
#include "merge/delta.hpp"
#include "merge/placed_key.hpp"

namespace galapagos::cuda {

/// What a launch takes of its entries.
enum class StatisticPass : std::uint8_t {
    largest_magnitude,
    key_counts,
    chunk_matches,  ///< elements of each chunk whose keys are in the range
    nth_match,      ///< where one of them is
    collection,     ///< all of them
    selection,      ///< the n-th of those that were collected
    placed_digits,  ///< how many of these begin like the n-th, and go on with each digit
    level_sums,
    thinned_sums,
    row_ranks,
    variance_counts,  ///< as key_counts, of the variance of the changes over the models
    variance_matches,
    nth_variance,
    variance_collection,
    importance_counts,  ///< as key_counts, of magnitudes times their row's divergence
    run_products,
    column_products,
    row_divergences,
    change_squares,
    change_counts,
};

// Entries are copied to shared memory as they are, so their members have no initial values.
struct StatisticJob {
    DeviceJob tensors;        ///< its result, gains and thresholds are not used
    std::int64_t first_item;  ///< of the launch, see number_items
    std::int64_t items;       ///< chunks of the entry, rows of the tensor, or one
    std::uint32_t low, high;  ///< keys that count
    int shift;                ///< of key_counts: a bucket has 1 << shift keys; of placed_digits
    float scale;              ///< of fixed-point numbers; 0: all of them are 0
    std::int64_t begin;       ///< of nth_match and collection: the first element of the first chunk
    std::int64_t rank;        ///< counted from 1: of nth_match in its chunk, of selection
    std::int64_t row_length;  ///< or the elements that run_products and change_squares add up
    PlacedKey prefix;         ///< of placed_digits: the bits above `shift` and its digit
    // Where the results go. Counters are zero before the launch.
    std::uint32_t* largest;
    /// key_counts: count and sum of each bucket. collection: how many there are. selection: the
    /// key, and the sum of the units up to it. placed_digits: after the number of all, one for each
    /// digit, then the sums of their units. nth_match: the element. level_sums: the sums.
    /// thinned_sums: all units, and those that are kept. change_counts: for each input those that
    /// it shares, and those that it alone has.
    std::uint64_t* totals;
    std::uint32_t* matches;  ///< chunk_matches: of each chunk of the whole tensor
    /// collection: what was found, by its place in the whole tensor. row_ranks: room for two rows a
    /// block.
    PlacedKey* placed;
    double* sums;  ///< run_products, column_products, change_squares: one item after the other
    float* divergences;                   ///< row_divergences
    std::uint16_t* ranks;                 ///< row_ranks
    const std::uint16_t* ranks_in_order;  ///< row_ranks: the number of an element that is number i
};

/// Numbers the items of a launch through its entries; returns how many there are.
std::int64_t number_items(std::vector<StatisticJob>& jobs);

/// The entry that an item of the launch belongs to: the last that begins there or before.
GALAPAGOS_HOST_DEVICE inline const StatisticJob& job_of(const StatisticJob* jobs, int count,
                                                        std::int64_t item) {
    int low = 0, high = count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        (jobs[middle].first_item <= item ? low : high) = middle;
    }
    return jobs[low];
}

/// A chunk of a task vector, as its ties are counted by.
GALAPAGOS_HOST_DEVICE inline TensorChunk delta_chunk_of(const StatisticJob& job,
                                                        std::int64_t begin) {
    const std::int64_t end = begin + delta_chunk;
    return {begin, end < job.tensors.count ? end : job.tensors.count};
}

/// The first element of an entry that stands at `global` in the whole tensor, or behind it.
GALAPAGOS_HOST_DEVICE inline std::int64_t element_at(const DeviceJob& job, std::int64_t global) {
    const std::int64_t beyond = global - job.runs.global_begin;
    if (beyond <= 0) return 0;
    const std::int64_t length = job.runs.length;
    const std::int64_t run = job.count > length ? beyond / job.runs.global_stride : 0;
    const std::int64_t in_run = beyond - run * job.runs.global_stride;
    const std::int64_t element = run * length + (in_run < length ? in_run : length);
    return element < job.count ? element : job.count;
}

/// An entry's elements in the chunk of the whole tensor that is number `chunk`.
GALAPAGOS_HOST_DEVICE inline TensorChunk whole_chunk_of(const DeviceJob& job, std::int64_t chunk) {
    return {element_at(job, chunk * delta_chunk), element_at(job, (chunk + 1) * delta_chunk)};
}
/// The first of these chunks that it has elements in, and how many to the last.
GALAPAGOS_HOST_DEVICE inline std::int64_t first_whole_chunk(const DeviceJob& job) {
    return job.runs.global(0) / delta_chunk;
}
inline std::int64_t whole_chunks(const DeviceJob& job) {
    return job.runs.global(job.count - 1) / delta_chunk - first_whole_chunk(job) + 1;
}

/// A thread's packs of a chunk, those of all threads beside each other.
template <typename Visit>
GALAPAGOS_HOST_DEVICE void for_each_pack(const TensorChunk& chunk, int thread, int threads,
                                         const Visit& visit) {
    for (std::int64_t first = chunk.begin + thread * pack_elements; first < chunk.end;
         first += threads * pack_elements) {
        const std::int64_t left = chunk.end - first;
        visit(Pack{first, static_cast<int>(left < pack_elements ? left : pack_elements)});
    }
}

/// As loops::to_fixed_point; nothing where the tensor isn't finite.
GALAPAGOS_HOST_DEVICE inline std::uint32_t units_of(std::uint32_t key, float scale) {
    if (scale == 0) return 0;
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(float_of(key) * scale + 0.5f));
}

}  // namespace galapagos::cuda
