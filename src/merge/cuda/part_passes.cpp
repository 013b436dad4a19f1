#include "merge/cuda/part_passes.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "merge/della.hpp"
#include "merge/sce.hpp"
#include "merge/slerp.hpp"

namespace galapagos::cuda {

std::vector<StatisticJob> PartPasses::entries(const TensorJob& job) const {
    if (job.count == 0) return {};
    return statistic_jobs(job, true, parts_.of(job.base.data), launches_.device());
}

std::vector<std::int64_t> PartPasses::totals_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                                std::size_t count) {
    std::vector<std::int64_t> totals(count);
    lockstep_.add_up(totals, [&] {
        const auto own = launches_.results_of<std::int64_t>(
            pass, std::move(jobs), count,
            [](StatisticJob& job, std::byte* at) { job.totals = totals_at(at); });
        std::copy(own.begin(), own.end(), totals.begin());
    });
    return totals;
}

std::uint32_t PartPasses::largest_magnitude(const DeltaPair& pair) {
    return lockstep_.largest([&] {
        return launches_
            .results_of<std::uint32_t>(StatisticPass::largest_magnitude, entries(pair), 1,
                                       [](StatisticJob& job, std::byte* at) {
                                           job.largest = reinterpret_cast<std::uint32_t*>(at);
                                       })
            .front();
    });
}

std::vector<KeyBucket> PartPasses::counts_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                             const KeyRange& range) {
    for (StatisticJob& job : jobs) {
        job.low = range.low;
        job.high = range.high;
        job.shift = range.shift;
    }
    std::vector<KeyBucket> buckets(range.buckets());
    const std::vector<std::int64_t> totals = totals_of(pass, std::move(jobs), 2 * buckets.size());
    for (std::size_t i = 0; i < buckets.size(); ++i)
        buckets[i] = {totals[2 * i], totals[2 * i + 1]};
    return buckets;
}

std::vector<KeyBucket> PartPasses::count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                              const KeyRange& range) {
    std::vector<StatisticJob> jobs = entries(pair);
    for (StatisticJob& job : jobs) job.scale = scale_of(fixed);
    return counts_of(StatisticPass::key_counts, std::move(jobs), range);
}

std::vector<std::int64_t> PartPasses::sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                                    const MaskStream& stream) {
    std::vector<StatisticJob> jobs = entries(pair);
    for (StatisticJob& job : jobs) {
        set_stream(stream, job);
        job.scale = scale_of(fixed);
    }
    return totals_of(StatisticPass::level_sums, std::move(jobs), probability_levels);
}

Ranks PartPasses::magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) {
    const std::vector<std::uint16_t> whole = galapagos::magnitude_ranks(pair, row_length);
    const auto& [slice, shape] = parts_.held(pair.base.data);
    const Shape part_shape = sliced_shape(slice, shape);
    std::vector<std::uint16_t> part(static_cast<std::size_t>(element_count(part_shape)));
    copy_slice({reinterpret_cast<const std::byte*>(whole.data()), DType::u16, shape}, slice,
               {reinterpret_cast<std::byte*>(part.data()), DType::u16, part_shape});
    const std::size_t bytes = part.size() * sizeof(std::uint16_t);
    std::byte* const place = launches_.memory().ranks.take(bytes);
    launches_.device().copy_in(part.data(), bytes, place);
    return {Ranks(), reinterpret_cast<const std::uint16_t*>(place)};  // whose memory is reserved
}

void PartPasses::thin(std::span<RankThinning> thinnings) {
    if (thinnings.empty()) return;
    std::vector<std::int64_t> sums(2 * thinnings.size());
    const std::size_t bytes = sums.size() * sizeof(std::int64_t);
    lockstep_.add_up(sums, [&] {
        std::vector<StatisticJob> jobs;
        std::vector<std::size_t> numbers;  // of the thinnings that these belong to
        for (std::size_t i = 0; i < thinnings.size(); ++i)
            for (StatisticJob& job : entries(thinnings[i].pair)) {
                set_stream(thinnings[i].stream, job);
                set_thinning(*thinnings[i].input, job);
                job.scale = scale_of(thinnings[i].fixed);
                jobs.push_back(job);
                numbers.push_back(i);
            }
        std::byte* const results = launches_.start(jobs.size(), bytes);
        for (std::size_t j = 0; j < jobs.size(); ++j)
            jobs[j].totals = totals_at(results) + 2 * numbers[j];
        launches_.launch(StatisticPass::thinned_sums, jobs);
        launches_.device().copy_out(results, bytes, sums.data());
    });
    for (std::size_t i = 0; i < thinnings.size(); ++i)
        thinnings[i].norms = {sums[2 * i], sums[2 * i + 1]};
}

InputChanges PartPasses::count_changes(const TensorJob& job) {
    const std::vector<std::int64_t> found =
        totals_of(StatisticPass::change_counts, entries(job), 2 * job.inputs.size());
    InputChanges changes;
    for (std::size_t k = 0; k < job.inputs.size(); ++k) {
        changes.shared.push_back(found[2 * k]);
        changes.alone.push_back(found[2 * k + 1]);
    }
    return changes;
}

/// Sums are whatever bits they are: of each, all ranks but one have none.
std::vector<double> PartPasses::mean_squares(const TensorJob& job) {
    const std::int64_t chunks = squares_chunks(job.count);
    const TensorGroup& group = lockstep_.group();
    const Range mine = near_even_part(chunks, group.size(), group.rank());
    std::vector<std::int64_t> bits(static_cast<std::size_t>(chunks) * job.inputs.size());
    lockstep_.add_up(bits, [&] {
        const std::vector<double> sums = sums_of_squares(job, mine.begin, mine.end);
        std::transform(sums.begin(), sums.end(),
                       bits.begin() + mine.begin * static_cast<std::int64_t>(job.inputs.size()),
                       [](double sum) { return std::bit_cast<std::int64_t>(sum); });
    });
    std::vector<double> sums;
    for (const std::int64_t sum : bits) sums.push_back(std::bit_cast<double>(sum));
    return mean_of_chunks(sums, job);
}

PairProducts PartPasses::pair_products(const StoredTensor& a, const StoredTensor& b,
                                       std::int64_t count) {
    return cpu_passes().pair_products(a, b, count);
}

std::vector<double> PartPasses::products(const TensorJob& job, bool deltas) {
    return cpu_passes().products(job, deltas);
}

std::vector<double> PartPasses::line_products(const TensorJob& job, bool deltas, bool columns) {
    return cpu_passes().line_products(job, deltas, columns);
}

std::vector<float> PartPasses::row_divergences(const TensorJob& job) {
    return cpu_passes().row_divergences(job);
}

std::vector<std::uint32_t> PartPasses::importances_at(const TensorJob& job,
                                                      const std::vector<float>& divergences,
                                                      const std::vector<std::int64_t>& places) {
    return cpu_passes().importances_at(job, divergences, places);
}

}  // namespace galapagos::cuda
