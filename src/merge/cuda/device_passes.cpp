#include "merge/cuda/device_passes.hpp"

#include <algorithm>

#include "merge/cuda/statistic_sizes.hpp"
#include "merge/della.hpp"
#include "merge/magnitude_cuts.hpp"

namespace galapagos::cuda {

namespace {

void set_range(const DeltaLadder::Step& step, StatisticJob& job) {
    job.low = step.low;
    job.high = step.high;
}

}  // namespace

StatisticJob DevicePasses::entry(const TensorJob& job, bool with_base) const {
    if (job.count == 0) return {};
    const PartRuns whole{{job.count, 0, 0, 0, 0}, job.count, 0};
    return statistic_jobs(job, with_base, {&whole, 1}, launches_.device()).front();
}

StatisticJob DevicePasses::entry(const DeltaPair& pair) const { return entry(as_job(pair), true); }

std::uint32_t DevicePasses::largest_magnitude(const DeltaPair& pair) {
    return results_of<std::uint32_t>(StatisticPass::largest_magnitude, entry(pair), 1,
                                     [](StatisticJob& job, std::byte* at) {
                                         job.largest = reinterpret_cast<std::uint32_t*>(at);
                                     })
        .front();
}

std::vector<KeyBucket> DevicePasses::count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                                const KeyRange& range) {
    StatisticJob job = entry(pair);
    job.scale = scale_of(fixed);
    return counts_of(StatisticPass::key_counts, job, range);
}

void DevicePasses::cut_steps(std::span<CutRequest* const> requests) {
    std::vector<CutRequest*> uncounted, single, many;
    for (CutRequest* request : requests) {
        const DeltaLadder::Step& step = request->step();
        (step.one_value() ? single : many).push_back(request);
        if (!step.one_value()) continue;
        const auto [ties, is_new] = request->ladder->ties(step.low);
        request->ties = &ties;
        if (is_new) uncounted.push_back(request);
    }
    count_ties(uncounted);
    find_ties(single);
    // What is collected has to fit in memory: some requests at a time.
    for (std::size_t first = 0; first < many.size();) {
        std::int64_t collected = many[first]->step().count;
        std::size_t end = first + 1;
        while (end < many.size() && collected + many[end]->step().count <= most_collected)
            collected += many[end++]->step().count;
        select_keys(std::span(many).subspan(first, end - first));
        first = end;
    }
}

void DevicePasses::count_ties(std::span<CutRequest* const> requests) {
    if (requests.empty()) return;
    std::size_t bytes = 0;
    for (const CutRequest* request : requests) bytes += tie_bytes(request->ties->size());
    std::byte* const results = launches_.start(requests.size(), bytes);
    std::byte* at = results;
    std::vector<StatisticJob> jobs;
    for (const CutRequest* request : requests) {
        StatisticJob& job = jobs.emplace_back(entry(request->ladder->pair()));
        set_range(request->step(), job);
        job.matches = reinterpret_cast<std::uint32_t*>(at);
        at += tie_bytes(request->ties->size());
    }
    launches_.launch(StatisticPass::chunk_matches, jobs);
    at = results;
    std::vector<std::uint32_t> counted;
    for (CutRequest* request : requests) {
        counted.resize(request->ties->size());
        launches_.device().copy_out(at, counted.size() * sizeof counted.front(), counted.data());
        std::copy(counted.begin(), counted.end(), request->ties->begin());
        at += tie_bytes(counted.size());
    }
}

void DevicePasses::find_ties(std::span<CutRequest* const> requests) {
    if (requests.empty()) return;
    std::vector<std::int64_t> elements(requests.size());
    const std::size_t bytes = elements.size() * sizeof(std::int64_t);
    std::byte* const results = launches_.start(requests.size(), bytes);
    std::vector<StatisticJob> jobs;
    for (const CutRequest* request : requests) {
        StatisticJob job = entry(request->ladder->pair());
        set_range(request->step(), job);
        job.items = 1;
        job.rank = request->rank();
        auto ties = request->ties->begin();
        for (; *ties < job.rank; ++ties) job.rank -= *ties;
        job.begin = (ties - request->ties->begin()) * delta_chunk;
        job.totals = totals_at(results) + jobs.size();
        jobs.push_back(job);
    }
    launches_.launch(StatisticPass::nth_match, jobs);
    launches_.device().copy_out(results, bytes, elements.data());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CutRequest& request = *requests[i];
        const DeltaLadder::Step& step = request.step();
        request.threshold = step.low;
        request.last_tie = elements[i];
        request.kept_sum =
            step.sum_above + request.rank() * request.ladder->fixed_point().quantise(step.low);
    }
}

void DevicePasses::select_keys(std::span<CutRequest* const> requests) {
    std::vector<std::uint64_t> found(select_numbers * requests.size());
    std::int64_t collected = 0;
    for (const CutRequest* request : requests) collected += request->step().count;
    std::byte* const results =
        launches_.start(requests.size(), select_bytes(requests.size(), collected));
    auto* at = reinterpret_cast<PlacedKey*>(results + select_bytes(requests.size(), 0));
    std::vector<StatisticJob> jobs;
    for (const CutRequest* request : requests) {
        StatisticJob job = entry(request->ladder->pair());
        set_range(request->step(), job);
        job.rank = request->rank();
        job.scale = scale_of(request->ladder->fixed_point());
        job.totals = totals_at(results) + select_numbers * jobs.size();
        job.placed = at;
        at += request->step().count;
        jobs.push_back(job);
    }
    launches_.launch(StatisticPass::collection, jobs);
    for (StatisticJob& job : jobs) job.items = 1;
    launches_.launch(StatisticPass::selection, jobs);
    launches_.device().copy_out(results, found.size() * sizeof(std::uint64_t), found.data());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CutRequest& request = *requests[i];
        const std::uint64_t* numbers = &found[select_numbers * i];
        request.threshold = key_of(numbers[1]);
        request.last_tie = place_of(numbers[1]);
        request.kept_sum = request.step().sum_above + static_cast<std::int64_t>(numbers[2]);
    }
}

std::vector<std::int64_t> DevicePasses::sums_by_level(const DeltaPair& pair,
                                                      const FixedPoint& fixed,
                                                      const MaskStream& stream) {
    StatisticJob job = entry(pair);
    set_stream(stream, job);
    job.scale = scale_of(fixed);
    return results_of<std::int64_t>(
        StatisticPass::level_sums, job, probability_levels,
        [](StatisticJob& set, std::byte* at) { set.totals = totals_at(at); });
}

Ranks DevicePasses::magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) {
    const std::int64_t rows = row_length == 0 ? 0 : pair.count / row_length;
    if (rows == 0) return std::make_shared<std::uint16_t[]>(0);
    const std::vector<std::uint16_t> in_order = ranks_in_order(row_length);
    std::vector<StatisticJob> jobs{entry(pair)};
    StatisticJob& job = jobs.front();
    job.items = rows;
    job.row_length = row_length;
    job.tensors.side_by_side = job.tensors.side_by_side && row_length % pack_elements == 0;
    std::byte* result = launches_.start(1, row_sort_bytes(rows, row_length));
    launches_.device().copy_in(in_order.data(), 2 * in_order.size(), result);
    job.ranks_in_order = reinterpret_cast<const std::uint16_t*>(result);
    job.placed = reinterpret_cast<PlacedKey*>(result + row_sort_bytes(0, row_length));
    job.ranks = reinterpret_cast<std::uint16_t*>(launches_.memory().ranks.take(
        sizeof(std::uint16_t) * static_cast<std::size_t>(pair.count)));
    launches_.launch(StatisticPass::row_ranks, jobs, static_cast<int>(sorting_blocks(rows)));
    return {Ranks(), job.ranks};  // whose memory is reserved
}

void DevicePasses::thin(std::span<RankThinning> thinnings) {
    if (thinnings.empty()) return;
    std::vector<std::uint64_t> sums(2 * thinnings.size());
    std::byte* const results =
        launches_.start(thinnings.size(), thinnings.size() * thinned_sum_bytes);
    std::vector<StatisticJob> jobs;
    for (const RankThinning& one : thinnings) {
        StatisticJob job = entry(one.pair);
        set_stream(one.stream, job);
        set_thinning(*one.input, job);
        job.scale = scale_of(one.fixed);
        job.totals = totals_at(results) + 2 * jobs.size();
        jobs.push_back(job);
    }
    launches_.launch(StatisticPass::thinned_sums, jobs);
    launches_.device().copy_out(results, sums.size() * sizeof(std::uint64_t), sums.data());
    for (std::size_t i = 0; i < thinnings.size(); ++i)
        thinnings[i].norms = {static_cast<std::int64_t>(sums[2 * i]),
                              static_cast<std::int64_t>(sums[2 * i + 1])};
}

}  // namespace galapagos::cuda
