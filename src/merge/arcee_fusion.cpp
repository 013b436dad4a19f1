#include "merge/arcee_fusion.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/parallel.hpp"
#include "merge/loops.hpp"
#include "merge/magnitude.hpp"
#include "merge/order_statistic.hpp"
#include "merge/vector_clones.hpp"
#include "merge/vector_math.hpp"

namespace galapagos {

namespace {

constexpr std::int64_t lanes = 8;  ///< sums that a vector holds side by side, for equal bits

double sum_of(const double* parts) {
    return ((parts[0] + parts[4]) + (parts[1] + parts[5])) +
           ((parts[2] + parts[6]) + (parts[3] + parts[7]));
}

/// Raises e to every value less the largest; returns the sum.
GALAPAGOS_VECTOR_CLONES
double exponentiate(double* values, double largest, std::int64_t count) {
    double parts[lanes] = {};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
            values[i + lane] = exp_of_negative(values[i + lane] - largest);
            parts[lane] += values[i + lane];
        }
    for (std::int64_t lane = 0; i < count; ++i, ++lane) {
        values[i] = exp_of_negative(values[i] - largest);
        parts[lane] += values[i];
    }
    return sum_of(parts);
}

/// Kullback-Leibler divergence of p from q, each scaled by its factor.
GALAPAGOS_VECTOR_CLONES
double divergence(const double* __restrict p, double of_p, const double* __restrict q, double of_q,
                  std::int64_t count) {
    constexpr double smallest = 1e-8;
    double parts[lanes] = {};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
            const double here = p[i + lane] * of_p + smallest;
            parts[lane] += here * log_of_positive(here / (q[i + lane] * of_q + smallest));
        }
    for (std::int64_t lane = 0; i < count; ++i, ++lane) {
        const double here = p[i] * of_p + smallest;
        parts[lane] += here * log_of_positive(here / (q[i] * of_q + smallest));
    }
    return sum_of(parts);
}

/// exp(x - largest) of a row; returns one over their sum.
double exponentials(const StoredTensor& tensor, std::int64_t begin, std::int64_t length,
                    std::vector<double>& result) {
    float block[block_elements];
    result.resize(static_cast<std::size_t>(length));
    float largest = -std::numeric_limits<float>::infinity();
    for (std::int64_t at = 0; at < length; at += block_elements) {
        const std::int64_t count = std::min(block_elements, length - at);
        load_block(tensor, begin + at, count, block);
        for (std::int64_t i = 0; i < count; ++i) {
            result[static_cast<std::size_t>(at + i)] = block[i];
            largest = std::max(largest, block[i]);
        }
    }
    return 1 / exponentiate(result.data(), largest, length);
}

/// |change| * divergence of its row, for elements [at, at + count).
void importances(const TensorJob& job, const float* divergences, std::int64_t at,
                 std::int64_t count, const float* delta, float* result) {
    for (std::int64_t i = 0; i < count;) {
        const std::int64_t row = (at + i) / job.row_length;
        const std::int64_t end = std::min(count, (row + 1) * job.row_length - at);
        for (; i < end; ++i) result[i] = std::fabs(delta[i]) * divergences[row];
    }
}

}  // namespace

std::vector<float> row_divergences(const TensorJob& job) {
    const std::int64_t length = job.row_length;
    const std::int64_t rows = length == 0 ? 0 : job.count / length;
    std::vector<float> result(static_cast<std::size_t>(rows));
    parallel_for(0, rows, 16, [&](std::int64_t first, std::int64_t last) {
        std::vector<double> p, q;
        for (std::int64_t row = first; row < last; ++row) {
            const double of_p = exponentials(job.inputs.front().tensor, row * length, length, p);
            const double of_q = exponentials(job.base, row * length, length, q);
            const double found = divergence(p.data(), of_p, q.data(), of_q, length);
            result[static_cast<std::size_t>(row)] = static_cast<float>(std::max(found, 0.0));
        }
    });
    return result;
}

std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                          const std::vector<float>& divergences,
                                          const std::vector<std::int64_t>& places) {
    const KeyBlocks keys = [&](std::int64_t at, std::int64_t count, std::uint32_t* out) {
        alignas(64) float base[block_elements];
        alignas(64) float value[block_elements];
        load_block(job.base, at, count, base);
        load_block(job.inputs.front().tensor, at, count, value);
        loops::subtract(base, value, count);
        importances(job, divergences.data(), at, count, value, base);
        for (std::int64_t i = 0; i < count; ++i)
            out[i] = std::bit_cast<std::uint32_t>(base[i]) & magnitude_bits;
    };
    return keys_at(job.count, places, keys);
}

float importance_threshold(const TensorJob& job, const std::vector<float>& divergences,
                           StatisticPasses& passes) {
    std::vector<std::int64_t> places;
    for (const double quartile : {0.25, 0.5, 0.75})
        places.push_back(job.count - 1 -
                         static_cast<std::int64_t>(quartile * static_cast<double>(job.count - 1)));
    const std::vector<std::uint32_t> found = passes.importances_at(job, divergences, places);
    const auto quartile = [&](std::size_t i) { return std::bit_cast<float>(found[i]); };
    return quartile(1) + 1.5f * (quartile(2) - quartile(0));
}

void arcee_fusion_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                        BlockBuffers& buffers, float* out) {
    const float threshold = std::bit_cast<float>(job.threshold);
    load_block(job.base, global, count, buffers.base);
    load_block(job.inputs.front().tensor, global, count, buffers.value);
    loops::subtract(buffers.base, buffers.value, count);
    importances(job, job.lines->factors.data(), global, count, buffers.value, buffers.sum);
    // A product: NaNs and infinities must not vanish.
    for (std::int64_t i = 0; i < count; ++i)
        out[i] = buffers.base[i] + buffers.value[i] * (buffers.sum[i] >= threshold ? 1.0f : 0.0f);
}

}  // namespace galapagos
