#include "merge/slerp.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.hpp"
#include "merge/fused.hpp"
#include "merge/loops.hpp"

namespace galapagos {

namespace {

constexpr std::int64_t chunk_elements = 64 * block_elements;

loops::PairSums sum_chunk(const StoredTensor& a, const StoredTensor& b, std::int64_t begin,
                          std::int64_t end) {
    loops::PairSums sums;
    alignas(64) float values_a[block_elements];
    alignas(64) float values_b[block_elements];
    for (std::int64_t at = begin; at < end; at += block_elements) {
        const std::int64_t count = std::min(block_elements, end - at);
        load_block(a, at, count, values_a);
        load_block(b, at, count, values_b);
        loops::add_products(values_a, values_b, sums, count);
    }
    return sums;
}

double total(const double (&lanes)[8]) {
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

}  // namespace

PairProducts pair_products(const StoredTensor& a, const StoredTensor& b, std::int64_t count) {
    const std::int64_t chunks = (count + chunk_elements - 1) / chunk_elements;
    std::vector<loops::PairSums> parts(static_cast<std::size_t>(chunks));
    parallel_for(0, chunks, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t chunk = first; chunk < last; ++chunk)
            parts[static_cast<std::size_t>(chunk)] = sum_chunk(
                a, b, chunk * chunk_elements, std::min(count, (chunk + 1) * chunk_elements));
    });
    PairProducts result;
    for (const loops::PairSums& part : parts) {
        result.aa += total(part.aa);
        result.bb += total(part.bb);
        result.ab += total(part.ab);
    }
    return result;
}

PairStatistics pair_statistics(const PairProducts& products) {
    constexpr double smallest_norm = 1e-8;
    PairStatistics result{std::sqrt(products.aa), std::sqrt(products.bb), 0};
    const double scale_a = result.norm_a > smallest_norm ? result.norm_a : 1;
    const double scale_b = result.norm_b > smallest_norm ? result.norm_b : 1;
    result.cosine = std::clamp(products.ab / scale_a / scale_b, -1.0, 1.0);
    return result;
}

SlerpCoefficients slerp_coefficients(const PairStatistics& statistics, double t) {
    constexpr double nearly_parallel = 0.9995;
    if (!(std::abs(statistics.cosine) <= nearly_parallel)) return {1 - t, t};
    const double angle = std::acos(statistics.cosine);
    const double sine = std::sin(angle);
    return {std::sin((1 - t) * angle) / sine, std::sin(t * angle) / sine};
}

void slerp_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out) {
    if (can_fuse(job, false)) return fused_sum_block(job, true, global, count, out);
    load_block(job.base, global, count, buffers.base);
    loops::scale(buffers.base, job.base_gain, out, count);
    for (const JobInput& input : job.inputs) {
        load_block(input.tensor, global, count, buffers.value);
        loops::add_scaled(buffers.value, input.gain, out, count);
    }
}

}  // namespace galapagos
