// Passes over all models of a job.
#include <algorithm>

#include "merge/cuda/change_passes.hpp"
#include "merge/cuda/device_passes.hpp"
#include "merge/gram.hpp"
#include "merge/sce.hpp"
#include "merge/slerp.hpp"

namespace galapagos::cuda {

namespace {

double* sums_at(std::byte* address) { return reinterpret_cast<double*>(address); }

std::int64_t parts(std::int64_t count, std::int64_t length) {
    return length == 0 ? 0 : (count + length - 1) / length;
}

/// An entry over runs of `length` elements that end with the tensor.
void set_runs(std::int64_t length, StatisticJob& job) {
    job.row_length = length;
    job.items = parts(job.tensors.count, length);
    // Packs are counted from the beginning of a run.
    if (length % pack_elements != 0) job.tensors.side_by_side = false;
}

}  // namespace

std::vector<double> DevicePasses::run_products(StatisticJob job, std::int64_t length) {
    set_runs(length, job);
    const int pairs = pairs_of(job.tensors.input_count);
    return results_of<double>(StatisticPass::run_products, job,
                              static_cast<std::size_t>(job.items * pairs),
                              [](StatisticJob& entry, std::byte* at) { entry.sums = sums_at(at); });
}

std::vector<double> DevicePasses::products(const TensorJob& job, bool deltas) {
    std::vector<double> result(Gram::pairs(job.inputs.size()));
    if (job.count == 0 || job.inputs.empty()) return result;
    const std::vector<double> chunks = run_products(entry(job, deltas), products_chunk);
    for (std::size_t i = 0; i < chunks.size(); ++i) result[i % result.size()] += chunks[i];
    return result;
}

PairProducts DevicePasses::pair_products(const StoredTensor& a, const StoredTensor& b,
                                         std::int64_t count) {
    TensorJob job;
    job.inputs.resize(2);
    job.inputs[0].tensor = a;
    job.inputs[1].tensor = b;
    job.count = count;
    const std::vector<double> found = products(job, false);
    const Gram gram(2, found);
    return {gram(0, 0), gram(1, 1), gram(0, 1)};
}

std::vector<double> DevicePasses::line_products(const TensorJob& job, bool deltas, bool columns) {
    const std::int64_t lines = columns ? job.count / std::max<std::int64_t>(1, job.rows)
                                       : job.count / std::max<std::int64_t>(1, job.row_length);
    if (lines == 0 || job.inputs.empty()) return {};
    StatisticJob one = entry(job, deltas);
    if (!columns) return run_products(one, job.row_length);
    const std::size_t products = static_cast<std::size_t>(lines) * Gram::pairs(job.inputs.size());
    one.row_length = lines;
    one.items = parts(static_cast<std::int64_t>(products), ColumnProducts::at_once);
    return results_of<double>(StatisticPass::column_products, one, products,
                              [](StatisticJob& set, std::byte* at) { set.sums = sums_at(at); });
}

std::vector<float> DevicePasses::row_divergences(const TensorJob& job) {
    if (job.count == 0) return {};
    StatisticJob one = entry(job, true);
    set_runs(job.row_length, one);
    return results_of<float>(
        StatisticPass::row_divergences, one, static_cast<std::size_t>(one.items),
        [](StatisticJob& set, std::byte* at) { set.divergences = reinterpret_cast<float*>(at); });
}

std::vector<KeyBucket> DevicePasses::counts_of(StatisticPass pass, StatisticJob job,
                                               const KeyRange& range) {
    static_assert(sizeof(KeyBucket) == 2 * sizeof(std::uint64_t));
    job.low = range.low;
    job.high = range.high;
    job.shift = range.shift;
    return results_of<KeyBucket>(
        pass, job, range.buckets(),
        [](StatisticJob& entry, std::byte* at) { entry.totals = totals_at(at); });
}

std::uint32_t DevicePasses::key_at(StatisticPass pass, const StatisticJob& job,
                                   std::int64_t& place) {
    return key_at_place([&](const KeyRange& range) { return counts_of(pass, job, range); }, place);
}

std::vector<std::uint32_t> DevicePasses::importances_at(const TensorJob& job,
                                                        const std::vector<float>& divergences,
                                                        const std::vector<std::int64_t>& places) {
    const std::size_t bytes = divergences.size() * sizeof(float);
    std::byte* const factors = launches_.memory().factors.begin(bytes);
    launches_.device().copy_in(divergences.data(), bytes, factors);
    StatisticJob one = entry(job, true);
    one.tensors.lines = {reinterpret_cast<const float*>(factors), job.row_length,
                         static_cast<std::int64_t>(divergences.size()), false};
    std::vector<std::uint32_t> result;
    for (std::int64_t place : places)
        result.push_back(key_at(StatisticPass::importance_counts, one, place));
    return result;
}

std::vector<std::uint32_t> DevicePasses::variance_matches(StatisticJob job, std::uint32_t low,
                                                          std::uint32_t high) {
    job.low = low;
    job.high = high;
    return results_of<std::uint32_t>(StatisticPass::variance_matches, job,
                                     static_cast<std::size_t>(job.items),
                                     [](StatisticJob& entry, std::byte* at) {
                                         entry.matches = reinterpret_cast<std::uint32_t*>(at);
                                     });
}

std::int64_t DevicePasses::count_varied(const TensorJob& job) {
    std::int64_t total = 0;
    for (const std::uint32_t matches : variance_matches(entry(job, true), 1, magnitude_bits))
        total += matches;
    return total;
}

KeyCut DevicePasses::cut_variance(const TensorJob& job, std::int64_t k) {
    StatisticJob one = entry(job, true);
    std::int64_t place = k - 1;
    KeyCut cut;
    cut.threshold = key_at(StatisticPass::variance_counts, one, place);
    one.low = one.high = cut.threshold;
    one.rank = place + 1;
    const std::vector<std::uint32_t> ties = variance_matches(one, cut.threshold, cut.threshold);
    auto chunk = ties.begin();
    for (; *chunk < one.rank; ++chunk) one.rank -= *chunk;
    one.begin = (chunk - ties.begin()) * delta_chunk;
    one.items = 1;
    cut.last_tie = results_of<std::int64_t>(
                       StatisticPass::nth_variance, one, 1,
                       [](StatisticJob& entry, std::byte* at) { entry.totals = totals_at(at); })
                       .front();
    return cut;
}

std::vector<double> DevicePasses::mean_squares(const TensorJob& job) {
    StatisticJob one = entry(job, true);
    set_runs(squares_chunk, one);
    return mean_of_chunks(
        results_of<double>(StatisticPass::change_squares, one,
                           static_cast<std::size_t>(one.items) * job.inputs.size(),
                           [](StatisticJob& set, std::byte* at) { set.sums = sums_at(at); }),
        job);
}

InputChanges DevicePasses::count_changes(const TensorJob& job) {
    const std::vector<std::int64_t> found = results_of<std::int64_t>(
        StatisticPass::change_counts, entry(job, true), 2 * job.inputs.size(),
        [](StatisticJob& set, std::byte* at) { set.totals = totals_at(at); });
    InputChanges changes;
    for (std::size_t k = 0; k < job.inputs.size(); ++k) {
        changes.shared.push_back(found[2 * k]);
        changes.alone.push_back(found[2 * k + 1]);
    }
    return changes;
}

}  // namespace galapagos::cuda
