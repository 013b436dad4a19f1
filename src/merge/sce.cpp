#include "merge/sce.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/parallel.hpp"
#include "merge/job.hpp"
#include "merge/loops.hpp"
#include "merge/magnitude.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

GALAPAGOS_VECTOR_CLONES
void add_to_variance(const float* __restrict base, const float* __restrict x, double models,
                     double* __restrict mean, double* __restrict squares, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const double value = x[i] - base[i];
        const double step = value - mean[i];
        mean[i] += step / models;
        squares[i] += step * (value - mean[i]);
    }
}

/// Bit patterns of the variance of the changes over the models.
void variance_keys(const TensorJob& job, std::int64_t at, std::int64_t count, std::uint32_t* keys) {
    alignas(64) float base[block_elements];
    alignas(64) float value[block_elements];
    alignas(64) double mean[block_elements] = {};
    alignas(64) double squares[block_elements] = {};
    load_block(job.base, at, count, base);
    double models = 0;
    for (const JobInput& input : job.inputs) {
        load_block(input.tensor, at, count, value);
        add_to_variance(base, value, ++models, mean, squares, count);
    }
    for (std::int64_t i = 0; i < count; ++i)
        keys[i] =
            std::bit_cast<std::uint32_t>(static_cast<float>(squares[i] / models)) & magnitude_bits;
}

bool selects(const TensorJob& job) { return job.numbers.select_topk < 1; }

/// Zeroes what is not selected.
void select(const TensorJob& job, const std::uint32_t* keys, std::int64_t at, std::int64_t count,
            float* x) {
    for (std::int64_t i = 0; i < count; ++i) {
        const bool kept =
            keys[i] > job.threshold || (keys[i] == job.threshold && at + i <= job.last_tie);
        x[i] = kept ? x[i] : 0.0f;
    }
}

/// Totals of an election by the plain changes; what counts is weighted.
GALAPAGOS_VECTOR_CLONES
void tally(const float* __restrict x, float weight, float* __restrict sum,
           float* __restrict positive, float* __restrict negative, float* __restrict positive_vote,
           float* __restrict negative_vote, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        sum[i] += x[i];
        positive[i] += x[i] > 0 ? weight * x[i] : 0.0f;
        negative[i] += x[i] < 0 ? weight * x[i] : 0.0f;
        positive_vote[i] += x[i] > 0 ? weight : 0.0f;
        negative_vote[i] += x[i] < 0 ? weight : 0.0f;
    }
}

GALAPAGOS_VECTOR_CLONES
void elect(const float* __restrict base, const float* __restrict sum,
           const float* __restrict positive, const float* __restrict negative,
           const float* __restrict positive_vote, const float* __restrict negative_vote,
           float* __restrict out, std::int64_t count) {
    constexpr float smallest = 1e-6f;
    for (std::int64_t i = 0; i < count; ++i) {
        const bool plus = sum[i] >= 0;
        const float votes = plus ? positive_vote[i] : negative_vote[i];
        const float value =
            (plus ? positive[i] : negative[i]) / (votes < smallest ? smallest : votes);
        out[i] = base[i] + (sum[i] == sum[i] ? value : sum[i]);
    }
}

KeyBlocks variances(const TensorJob& job) {
    return [&job](std::int64_t at, std::int64_t count, std::uint32_t* out) {
        variance_keys(job, at, count, out);
    };
}

}  // namespace

std::int64_t count_varied(const TensorJob& job) { return count_nonzero(job.count, variances(job)); }

KeyCut cut_variance(const TensorJob& job, std::int64_t k) {
    return cut_largest(job.count, k, variances(job));
}

std::vector<double> mean_squares(const TensorJob& job) {
    return mean_of_chunks(sums_of_squares(job, 0, squares_chunks(job.count)), job);
}

std::vector<double> sums_of_squares(const TensorJob& job, std::int64_t begin_chunk,
                                    std::int64_t end_chunk) {
    const std::size_t inputs = job.inputs.size();
    std::vector<double> parts(static_cast<std::size_t>(end_chunk - begin_chunk) * inputs);
    parallel_for(begin_chunk, end_chunk, 1, [&](std::int64_t first, std::int64_t last) {
        alignas(64) float base[block_elements];
        alignas(64) float value[block_elements];
        alignas(64) std::uint32_t keys[block_elements];
        for (std::int64_t chunk = first; chunk < last; ++chunk) {
            const std::int64_t end = std::min(job.count, (chunk + 1) * squares_chunk);
            for (std::int64_t at = chunk * squares_chunk; at < end; at += block_elements) {
                const std::int64_t count = std::min(block_elements, end - at);
                load_block(job.base, at, count, base);
                if (selects(job)) variance_keys(job, at, count, keys);
                for (std::size_t n = 0; n < inputs; ++n) {
                    load_block(job.inputs[n].tensor, at, count, value);
                    loops::subtract(base, value, count);
                    if (selects(job)) select(job, keys, at, count, value);
                    double lanes[8] = {};
                    loops::add_dot(value, value, lanes, count);
                    for (const double lane : lanes)
                        parts[static_cast<std::size_t>(chunk - begin_chunk) * inputs + n] += lane;
                }
            }
        }
    });
    return parts;
}

std::vector<double> mean_of_chunks(const std::vector<double>& sums, const TensorJob& job) {
    std::vector<double> result(job.inputs.size());
    for (std::size_t i = 0; i < sums.size(); ++i)
        result[i % result.size()] += sums[i] / static_cast<double>(job.count);
    return result;
}

SceSettings sce_settings(const TensorJob& job, StatisticPasses& passes) {
    SceSettings settings;
    TensorJob selected = job;
    if (selects(job)) {
        // In mergekit this product is one of float32 numbers.
        const float kept = static_cast<float>(passes.count_varied(job)) *
                           static_cast<float>(std::max(0.0, job.numbers.select_topk));
        const auto k = std::min(job.count, static_cast<std::int64_t>(kept));
        settings.empty = k == 0;
        if (!settings.empty) settings.cut = passes.cut_variance(job, k);
        selected.threshold = settings.cut.threshold;
        selected.last_tie = settings.cut.last_tie;
    }
    if (settings.empty) {
        settings.weights.assign(job.inputs.size(), 0);
        return settings;
    }
    settings.weights = passes.mean_squares(selected);
    double sum = 0;
    for (const double weight : settings.weights) sum += weight;
    constexpr double tiny = 1e-6;
    for (double& weight : settings.weights)
        weight = sum < tiny ? 1 / static_cast<double>(settings.weights.size()) : weight / sum;
    return settings;
}

void sce_block(const TensorJob& job, std::int64_t global, std::int64_t count, BlockBuffers& buffers,
               float* out) {
    load_block(job.base, global, count, buffers.base);
    if (selects(job)) variance_keys(job, global, count, buffers.keys);
    for (float* totals : {buffers.sum, buffers.positive, buffers.negative, buffers.positive_vote,
                          buffers.negative_vote})
        std::fill(totals, totals + count, 0.0f);
    for (const JobInput& input : job.inputs) {
        if (input.sparsity == Sparsity::empty) continue;
        load_block(input.tensor, global, count, buffers.value);
        loops::subtract(buffers.base, buffers.value, count);
        if (selects(job)) select(job, buffers.keys, global, count, buffers.value);
        tally(buffers.value, input.gain, buffers.sum, buffers.positive, buffers.negative,
              buffers.positive_vote, buffers.negative_vote, count);
    }
    elect(buffers.base, buffers.sum, buffers.positive, buffers.negative, buffers.positive_vote,
          buffers.negative_vote, out, count);
}

}  // namespace galapagos
