// Where to cut tensors that are cut over several devices.
#include <algorithm>
#include <utility>

#include "merge/cuda/part_passes.hpp"
#include "merge/cuda/rank_selection.hpp"
#include "merge/cuda/statistic_sizes.hpp"
#include "merge/magnitude_cuts.hpp"

namespace galapagos::cuda {

namespace {

/// Looks for the one of equal keys that is number `rank`, from 1, in the chunk that has it.
template <typename Count>
void search_ties(std::uint32_t key, std::span<const Count> ties, std::int64_t elements,
                 PlaceSearch& search) {
    std::size_t chunk = 0;
    for (; ties[chunk] < search.rank; ++chunk) search.rank -= ties[chunk];
    search.low = search.high = key;
    search.matches = ties[chunk];
    search.first = static_cast<std::int64_t>(chunk) * delta_chunk;
    search.last = std::min(elements, search.first + delta_chunk) - 1;
    keep_chunk(static_cast<std::int64_t>(chunk), search.entries);
}

}  // namespace

std::vector<std::int64_t> PartPasses::matches_in(std::span<const ChunkCount> counts,
                                                 StatisticPass pass) {
    std::size_t numbers = 0, bytes = 0;
    for (const ChunkCount& count : counts) {
        numbers += count.chunks;
        bytes += tie_bytes(count.chunks);
    }
    std::vector<std::int64_t> matches(numbers);
    lockstep_.add_up(matches, [&] {
        std::vector<StatisticJob> jobs;
        std::vector<std::size_t> places;
        std::size_t place = 0;
        for (const ChunkCount& count : counts) {
            for (StatisticJob job : count.entries) {
                job.low = count.low;
                job.high = count.high;
                job.items = whole_chunks(job.tensors);
                jobs.push_back(job);
                places.push_back(place);
            }
            place += tie_bytes(count.chunks);
        }
        std::byte* const results = launches_.start(jobs.size(), bytes);
        for (std::size_t j = 0; j < jobs.size(); ++j)
            jobs[j].matches = reinterpret_cast<std::uint32_t*>(results + places[j]);
        launches_.launch(pass, jobs);
        std::vector<std::uint32_t> counted(bytes / sizeof(std::uint32_t));
        launches_.device().copy_out(results, bytes, counted.data());
        auto from = counted.begin();
        auto to = matches.begin();
        for (const ChunkCount& count : counts) {
            to = std::copy_n(from, count.chunks, to);
            from += static_cast<std::ptrdiff_t>(tie_bytes(count.chunks) / sizeof(std::uint32_t));
        }
    });
    return matches;
}

/// For those steps of one value of which they aren't known.
void PartPasses::count_ties(std::span<CutRequest* const> requests) {
    std::vector<ChunkCount> counts;
    std::vector<DeltaLadder::TieCounts*> uncounted;
    for (CutRequest* request : requests) {
        const DeltaLadder::Step& step = request->step();
        if (!step.one_value()) continue;
        const auto [ties, is_new] = request->ladder->ties(step.low);
        request->ties = &ties;
        if (!is_new) continue;
        counts.push_back({entries(request->ladder->pair()), step.low, step.low, ties.size()});
        uncounted.push_back(&ties);
    }
    if (counts.empty()) return;
    const std::vector<std::int64_t> matches = matches_in(counts, StatisticPass::chunk_matches);
    auto from = matches.begin();
    for (DeltaLadder::TieCounts* ties : uncounted)
        for (std::uint16_t& count : *ties) count = static_cast<std::uint16_t>(*from++);
}

void PartPasses::cut_steps(std::span<CutRequest* const> requests) {
    count_ties(requests);
    std::vector<PlaceSearch> searches;
    for (const CutRequest* request : requests) {
        const DeltaLadder::Step& step = request->step();
        const DeltaPair& pair = request->ladder->pair();
        PlaceSearch& search = searches.emplace_back();
        search.entries = entries(pair);
        search.rank = request->rank();
        search.scale = scale_of(request->ladder->fixed_point());
        if (step.one_value()) {
            search_ties(step.low, std::span<const std::uint16_t>(*request->ties), pair.count,
                        search);
            continue;
        }
        search.low = step.low;
        search.high = step.high;
        search.last = pair.count - 1;
        search.matches = step.count;
    }
    find_places(searches, StatisticPass::collection, launches_, lockstep_);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CutRequest& request = *requests[i];
        const DeltaLadder::Step& step = request.step();
        request.threshold = key_of(searches[i].found);
        request.last_tie = place_of(searches[i].found);
        // Of equal magnitudes only those of one chunk were looked at.
        request.kept_sum =
            step.sum_above +
            (step.one_value() ? request.rank() * request.ladder->fixed_point().quantise(step.low)
                              : searches[i].units);
    }
}

std::int64_t PartPasses::count_varied(const TensorJob& job) {
    const ChunkCount varied{entries(job), 1, magnitude_bits,
                            static_cast<std::size_t>(delta_chunks(job.count))};
    std::int64_t total = 0;
    for (const std::int64_t matches : matches_in({&varied, 1}, StatisticPass::variance_matches))
        total += matches;
    return total;
}

KeyCut PartPasses::cut_variance(const TensorJob& job, std::int64_t k) {
    std::int64_t place = k - 1;
    KeyCut cut;
    cut.threshold = key_at_place(
        [&](const KeyRange& range) {
            return counts_of(StatisticPass::variance_counts, entries(job), range);
        },
        place);
    const ChunkCount equal{entries(job), cut.threshold, cut.threshold,
                           static_cast<std::size_t>(delta_chunks(job.count))};
    const std::vector<std::int64_t> ties = matches_in({&equal, 1}, StatisticPass::variance_matches);
    PlaceSearch search;
    search.entries = equal.entries;
    search.rank = place + 1;
    search_ties(cut.threshold, std::span<const std::int64_t>(ties), job.count, search);
    find_places({&search, 1}, StatisticPass::variance_collection, launches_, lockstep_);
    cut.last_tie = place_of(search.found);
    return cut;
}

}  // namespace galapagos::cuda
