#include "merge/magnitude_cuts.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/parallel.hpp"
#include "merge/key_scan.hpp"
#include "merge/magnitude.hpp"

namespace galapagos {

namespace {

using Step = DeltaLadder::Step;

/// Counts the elements of a step of one value, or collects those of a step of many.
void scan_chunk(CutRequest& request, std::int64_t chunk, std::mutex& mutex) {
    const Step& step = request.step();
    const DeltaPair& pair = request.ladder->pair();
    const std::int64_t begin = chunk * delta_chunk;
    const std::int64_t end = std::min(pair.count, begin + delta_chunk);
    if (step.one_value()) {
        std::int64_t total = 0;
        for_each_matching_run(
            pair, begin, end, step.low, step.high,
            [&](std::int64_t, std::int64_t, std::int64_t matches) { total += matches; });
        (*request.ties)[static_cast<std::size_t>(chunk)] = static_cast<std::uint16_t>(total);
        return;
    }
    thread_local std::vector<PlacedKey> own;
    own.clear();
    const auto collect = [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i)
            if (keys[i] >= step.low && keys[i] <= step.high)
                own.push_back(placed_key(keys[i], at + i));
    };
    for_each_matching_run(pair, begin, end, step.low, step.high,
                          [&](std::int64_t at, std::int64_t length, std::int64_t) {
                              for_each_key_block(pair, at, at + length, collect);
                          });
    if (own.empty()) return;
    const std::lock_guard lock(mutex);
    request.found.insert(request.found.end(), own.begin(), own.end());
}

/// Index of the `rank`-th element (counted from 1) with the step's single value.
std::int64_t nth_tie(const CutRequest& request, std::uint32_t value, std::int64_t rank) {
    const DeltaPair& pair = request.ladder->pair();
    std::int64_t begin = 0;
    for (const std::uint16_t ties : *request.ties) {
        if (ties >= rank) break;
        rank -= ties;
        begin += delta_chunk;
    }
    std::int64_t index = -1;
    const auto look = [&](const std::uint32_t* keys, std::int64_t at, std::int64_t count) {
        for (std::int64_t i = 0; i < count && index < 0; ++i)
            if (keys[i] == value && --rank == 0) index = at + i;
    };
    for_each_matching_run(pair, begin, std::min(pair.count, begin + delta_chunk), value, value,
                          [&](std::int64_t at, std::int64_t length, std::int64_t matches) {
                              if (rank > matches)
                                  rank -= matches;
                              else if (index < 0)
                                  for_each_key_block(pair, at, at + length, look);
                          });
    return index;
}

void finish(CutRequest& request) {
    const Step& step = request.step();
    const FixedPoint& fixed = request.ladder->fixed_point();
    const std::int64_t rank = request.rank();
    if (step.one_value()) {
        request.threshold = step.low;
        request.last_tie = nth_tie(request, step.low, rank);
        request.kept_sum = step.sum_above + rank * fixed.quantise(step.low);
    } else {
        const auto nth = request.found.begin() + (rank - 1);
        std::nth_element(request.found.begin(), nth, request.found.end());
        request.threshold = key_of(*nth);
        request.last_tie = place_of(*nth);
        request.kept_sum = step.sum_above;
        for (auto kept = request.found.begin(); kept <= nth; ++kept)
            request.kept_sum += fixed.quantise(key_of(*kept));
    }
}

struct Item {
    std::size_t request;
    std::int64_t chunk;
};

/// The chunks that have to be read, those of one base one after the other, while it is in the
/// cache.
std::vector<Item> chunks_to_read(std::span<CutRequest* const> requests) {
    std::vector<Item> items;
    for (std::size_t r = 0; r < requests.size(); ++r) {
        CutRequest& request = *requests[r];
        const Step& step = request.step();
        request.found.clear();
        if (step.one_value()) {
            const auto [ties, is_new] = request.ladder->ties(step.low);
            request.ties = &ties;
            if (!is_new) continue;
        } else {
            request.found.reserve(static_cast<std::size_t>(step.count));
        }
        const std::int64_t chunks = delta_chunks(request.ladder->pair().count);
        for (std::int64_t chunk = 0; chunk < chunks; ++chunk) items.push_back({r, chunk});
    }
    const auto place = [&](const Item& item) {
        return std::pair(requests[item.request]->ladder->pair().base.data, item.chunk);
    };
    std::stable_sort(items.begin(), items.end(),
                     [&](const Item& a, const Item& b) { return place(a) < place(b); });
    return items;
}

/// A step that is kept to its end needs no look at the elements.
bool keep_whole_step(CutRequest& request) {
    const Step& step = request.step();
    if (request.rank() != step.count) return false;
    request.threshold = step.low;
    request.last_tie = request.ladder->pair().count - 1;
    request.kept_sum = step.sum_above + step.sum;
    return true;
}

}  // namespace

void cut_steps(std::span<CutRequest* const> requests) {
    const std::vector<Item> items = chunks_to_read(requests);
    std::vector<std::mutex> mutexes(requests.size());
    parallel_for(0, static_cast<std::int64_t>(items.size()), 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t i = first; i < last; ++i) {
                         const Item& item = items[static_cast<std::size_t>(i)];
                         scan_chunk(*requests[item.request], item.chunk, mutexes[item.request]);
                     }
                 });
    parallel_for(0, static_cast<std::int64_t>(requests.size()), 1,
                 [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r)
                         finish(*requests[static_cast<std::size_t>(r)]);
                 });
}

void find_cuts(std::span<CutRequest> requests, StatisticPasses& passes) {
    for (CutRequest& request : requests) request.ladder->refine(request.k);
    std::vector<CutRequest*> inside;
    for (CutRequest& request : requests)
        if (!keep_whole_step(request)) inside.push_back(&request);
    try {
        passes.cut_steps(inside);
    } catch (...) {
        // Some may not have been counted.
        for (CutRequest* request : inside) request->ladder->forget_ties();
        throw;
    }
}

}  // namespace galapagos
