#include "merge/delta_ladder.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/parallel.hpp"
#include "merge/key_scan.hpp"

namespace galapagos {

namespace {

using Step = DeltaLadder::Step;

constexpr std::int64_t counting_chunk = 32 * delta_chunk;

struct Bucket {
    std::int64_t count = 0;
    std::int64_t sum = 0;
};

/// Counts keys into `buckets` places; `place(key)` may be -1: not counted.
template <typename Place>
std::vector<Bucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed, std::size_t buckets,
                               const Place& place) {
    std::vector<Bucket> result(buckets);
    std::mutex mutex;
    parallel_for(0, pair.count, counting_chunk, [&](std::int64_t begin, std::int64_t end) {
        // Two sets of counters, taken in turns: runs of one value don't wait for their own sums.
        std::vector<Bucket> own(2 * buckets);
        alignas(64) std::int32_t units[block_elements];
        for_each_key_block(pair, begin, end,
                           [&](const std::uint32_t* keys, std::int64_t, std::int64_t count) {
                               loops::to_fixed_point(keys, fixed.scale, units, count);
                               for (std::int64_t i = 0; i < count; ++i) {
                                   const std::int64_t at = place(keys[i]);
                                   if (at < 0) continue;
                                   Bucket& bucket = own[static_cast<std::size_t>(2 * at + (i & 1))];
                                   bucket.count += 1;
                                   bucket.sum += fixed.finite ? units[i] : 0;
                               }
                           });
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < buckets; ++i) {
            result[i].count += own[2 * i].count + own[2 * i + 1].count;
            result[i].sum += own[2 * i].sum + own[2 * i + 1].sum;
        }
    });
    return result;
}

/// Appends the buckets from high keys to low ones as steps, neighbours joined while they are not
/// crowded. Bucket i holds the keys from `first` + (i << shift) on.
void append_steps(std::span<const Bucket> buckets, std::uint32_t first, int shift,
                  std::int64_t crowd, std::vector<Step>& steps) {
    const std::size_t begin = steps.size();
    for (std::size_t i = buckets.size(); i-- > 0;) {
        if (buckets[i].count == 0) continue;
        const std::uint32_t low = first + (static_cast<std::uint32_t>(i) << shift);
        if (steps.size() == begin || steps.back().count + buckets[i].count > crowd)
            steps.push_back({low, low + ((1u << shift) - 1), 0, 0, 0, 0});
        steps.back().low = low;
        steps.back().count += buckets[i].count;
        steps.back().sum += buckets[i].sum;
    }
}

/// Bits below the first bucket's, and below its parts'. The last parts are single values.
constexpr int shifts[] = {15, 7, 0};
constexpr std::size_t first_buckets = std::size_t{1} << (31 - shifts[0]);

/// Splits every crowded step of width 1 << `from` into steps of width 1 << `to` or more.
void split_crowded(const DeltaPair& pair, const FixedPoint& fixed, int from, int to,
                   std::int64_t crowd, std::vector<Step>& steps) {
    // Found in two steps: by the upper 16 bits of a key, then by the bits down to `from`.
    const std::size_t inner = std::size_t{1} << (shifts[0] - from);
    std::vector<std::int32_t> outer_slot(first_buckets, -1), slot;
    std::vector<std::uint32_t> starts;
    for (const Step& step : steps) {
        if (step.count <= crowd || step.one_value()) continue;
        std::int32_t& outer = outer_slot[step.low >> shifts[0]];
        if (outer < 0) {
            outer = static_cast<std::int32_t>(slot.size());
            slot.resize(slot.size() + inner, -1);
        }
        slot[static_cast<std::size_t>(outer) + ((step.low >> from) & (inner - 1))] =
            static_cast<std::int32_t>(starts.size());
        starts.push_back(step.low);
    }
    if (starts.empty()) return;
    const std::size_t parts = std::size_t{1} << (from - to);
    const std::vector<Bucket> buckets =
        count_keys(pair, fixed, starts.size() * parts, [&](std::uint32_t key) -> std::int64_t {
            const std::int32_t outer = outer_slot[key >> shifts[0]];
            if (outer < 0) return -1;
            const std::int32_t crowded =
                slot[static_cast<std::size_t>(outer) + ((key >> from) & (inner - 1))];
            if (crowded < 0) return -1;
            return static_cast<std::int64_t>(static_cast<std::size_t>(crowded) * parts +
                                             ((key >> to) & (parts - 1)));
        });
    std::vector<Step> finer;
    std::size_t next = 0;
    for (const Step& step : steps) {
        if (step.count <= crowd || step.one_value())
            finer.push_back(step);
        else
            append_steps(std::span(buckets).subspan(next++ * parts, parts), step.low, to, crowd,
                         finer);
    }
    steps = std::move(finer);
}

}  // namespace

DeltaLadder::DeltaLadder(const DeltaPair& pair, const FixedPoint& fixed) {
    const std::int64_t crowd = std::max<std::int64_t>(16, pair.count / 512);
    const std::vector<Bucket> buckets =
        count_keys(pair, fixed, first_buckets,
                   [](std::uint32_t key) -> std::int64_t { return key >> shifts[0]; });
    append_steps(buckets, 0, shifts[0], crowd, steps_);
    split_crowded(pair, fixed, shifts[0], shifts[1], crowd, steps_);
    split_crowded(pair, fixed, shifts[1], shifts[2], crowd, steps_);
    for (std::size_t i = 1; i < steps_.size(); ++i) {
        steps_[i].above = steps_[i - 1].above + steps_[i - 1].count;
        steps_[i].sum_above = steps_[i - 1].sum_above + steps_[i - 1].sum;
    }
    steps_.shrink_to_fit();
}

const DeltaLadder::Step& DeltaLadder::step_of(std::int64_t k) const {
    // The last step with fewer than k elements above it.
    const auto after = std::partition_point(steps_.begin(), steps_.end(),
                                            [k](const Step& step) { return step.above < k; });
    return *(after - 1);
}

std::int64_t DeltaLadder::total() const noexcept {
    return steps_.empty() ? 0 : steps_.back().sum_above + steps_.back().sum;
}

namespace {

/// Sorts by descending magnitude, then ascending index: 31 bits and 33 bits.
constexpr int index_bits = 33;
std::uint64_t pack(std::uint32_t key, std::int64_t index) {
    return (static_cast<std::uint64_t>(0x7FFFFFFFu - key) << index_bits) |
           static_cast<std::uint64_t>(index);
}
std::uint32_t packed_key(std::uint64_t packed) {
    return 0x7FFFFFFFu - static_cast<std::uint32_t>(packed >> index_bits);
}
std::int64_t packed_index(std::uint64_t packed) {
    return static_cast<std::int64_t>(packed & ((std::uint64_t{1} << index_bits) - 1));
}

void scan_chunk(CutRequest& request, std::int64_t chunk, std::mutex& mutex) {
    const DeltaLadder::Step& step = request.ladder->step_of(request.k);
    const std::int64_t begin = chunk * delta_chunk;
    const std::int64_t end = std::min(request.pair.count, begin + delta_chunk);
    if (step.one_value()) {
        std::int64_t total = 0;
        for_each_matching_run(
            request.pair, begin, end, step.low, step.high,
            [&](std::int64_t, std::int64_t, std::int64_t matches) { total += matches; });
        request.chunk_counts[static_cast<std::size_t>(chunk)] = total;
        return;
    }
    thread_local std::vector<std::uint64_t> own;
    own.clear();
    const auto collect = [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            if (keys[i] >= step.low && keys[i] <= step.high) own.push_back(pack(keys[i], at + i));
    };
    for_each_matching_run(request.pair, begin, end, step.low, step.high,
                          [&](std::int64_t at, std::int64_t length, std::int64_t) {
                              for_each_key_block(request.pair, at, at + length, collect);
                          });
    if (own.empty()) return;
    const std::lock_guard lock(mutex);
    request.found.insert(request.found.end(), own.begin(), own.end());
}

/// Index of the `rank`-th element (counted from 1) with the step's single value.
std::int64_t nth_tie(const CutRequest& request, const DeltaLadder::Step& step, std::int64_t rank) {
    std::size_t chunk = 0;
    while (request.chunk_counts[chunk] < rank) rank -= request.chunk_counts[chunk++];
    const std::int64_t begin = static_cast<std::int64_t>(chunk) * delta_chunk;
    std::int64_t index = -1;
    for_each_key_block(request.pair, begin, std::min(request.pair.count, begin + delta_chunk),
                       [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
                           for (std::int64_t i = 0; i < count && index < 0; ++i)
                               if (keys[i] == step.low && --rank == 0) index = at + i;
                       });
    return index;
}

void finish(CutRequest& request) {
    const DeltaLadder::Step& step = request.ladder->step_of(request.k);
    const std::int64_t rank = request.k - step.above;
    if (rank == step.count) {  // the whole step is kept
        request.threshold = step.low;
        request.last_tie = request.pair.count - 1;
        request.kept_sum = step.sum_above + step.sum;
    } else if (step.one_value()) {
        request.threshold = step.low;
        request.last_tie = nth_tie(request, step, rank);
        request.kept_sum = step.sum_above + rank * request.fixed.quantise(step.low);
    } else {
        const auto nth = request.found.begin() + (rank - 1);
        std::nth_element(request.found.begin(), nth, request.found.end());
        request.threshold = packed_key(*nth);
        request.last_tie = packed_index(*nth);
        request.kept_sum = step.sum_above;
        for (auto kept = request.found.begin(); kept <= nth; ++kept)
            request.kept_sum += request.fixed.quantise(packed_key(*kept));
    }
}

}  // namespace

void find_cuts(std::span<CutRequest> requests) {
    struct Item {
        std::size_t request;
        std::int64_t chunk;
    };
    std::vector<Item> items;
    std::vector<std::mutex> mutexes(requests.size());
    for (std::size_t r = 0; r < requests.size(); ++r) {
        CutRequest& request = requests[r];
        const DeltaLadder::Step& step = request.ladder->step_of(request.k);
        request.found.clear();
        if (request.k - step.above == step.count) continue;
        const std::int64_t chunks = delta_chunks(request.pair.count);
        if (step.one_value())
            request.chunk_counts.resize(static_cast<std::size_t>(chunks));
        else
            request.found.reserve(static_cast<std::size_t>(step.count));
        for (std::int64_t chunk = 0; chunk < chunks; ++chunk) items.push_back({r, chunk});
    }
    // Chunks that have the same base are read one after the other, while it is in the cache.
    const auto place = [&](const Item& item) {
        return std::pair(requests[item.request].pair.base.data, item.chunk);
    };
    std::stable_sort(items.begin(), items.end(),
                     [&](const Item& a, const Item& b) { return place(a) < place(b); });
    parallel_for(0, static_cast<std::int64_t>(items.size()), 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t i = first; i < last; ++i) {
                         const Item& item = items[static_cast<std::size_t>(i)];
                         scan_chunk(requests[item.request], item.chunk, mutexes[item.request]);
                     }
                 });
    parallel_for(0, static_cast<std::int64_t>(requests.size()), 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r)
                         finish(requests[static_cast<std::size_t>(r)]);
                 });
}

}  // namespace galapagos
