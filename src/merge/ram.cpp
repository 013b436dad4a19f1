// Reinforced Agent Merging: what one model alone has changed is added in full, what several have
// changed is averaged over these. The "plus" variant strengthens the former.
#include "merge/ram.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/parallel.hpp"
#include "merge/loops.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

GALAPAGOS_VECTOR_CLONES
void add_active(const float* __restrict x, float epsilon, float gain, float* __restrict sum,
                float* __restrict alone, float* __restrict active, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const bool counts = !(std::fabs(x[i]) <= epsilon);  // a NaN must not vanish
        sum[i] += counts ? x[i] : 0.0f;
        alone[i] += counts ? gain * x[i] : 0.0f;
        active[i] += counts ? 1.0f : 0.0f;
    }
}

GALAPAGOS_VECTOR_CLONES
void finish(const float* __restrict base, const float* __restrict sum,
            const float* __restrict alone, const float* __restrict active, float* __restrict out,
            std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float shared = sum[i] / (active[i] > 1 ? active[i] : 1.0f);
        out[i] = base[i] + (active[i] > 1 ? shared : alone[i]);
    }
}

void count_block(const TensorJob& job, std::int64_t at, std::int64_t count, std::vector<float>& x,
                 InputChanges& changes) {
    const std::size_t inputs = job.inputs.size();
    const auto width = static_cast<std::size_t>(block_elements);
    float* base = x.data() + inputs * width;
    std::int64_t active[block_elements] = {};
    load_block(job.base, at, count, base);
    for (std::size_t n = 0; n < inputs; ++n) {
        float* delta = x.data() + n * width;
        load_block(job.inputs[n].tensor, at, count, delta);
        loops::subtract(base, delta, count);
        for (std::int64_t i = 0; i < count; ++i) active[i] += std::fabs(delta[i]) > job.epsilon;
    }
    for (std::size_t n = 0; n < inputs; ++n) {
        const float* delta = x.data() + n * width;
        for (std::int64_t i = 0; i < count; ++i) {
            const bool counts = std::fabs(delta[i]) > job.epsilon;
            changes.shared[n] += counts && active[i] > 1;
            changes.alone[n] += counts && active[i] == 1;
        }
    }
}

}  // namespace

InputChanges count_changes(const TensorJob& job) {
    const std::size_t inputs = job.inputs.size();
    const InputChanges none{std::vector<std::int64_t>(inputs), std::vector<std::int64_t>(inputs)};
    InputChanges result = none;
    std::mutex mutex;
    parallel_for(0, job.count, 64 * block_elements, [&](std::int64_t begin, std::int64_t end) {
        InputChanges own = none;
        std::vector<float> x((inputs + 1) * static_cast<std::size_t>(block_elements));
        for (std::int64_t at = begin; at < end; at += block_elements)
            count_block(job, at, std::min(block_elements, end - at), x, own);
        const std::lock_guard lock(mutex);
        for (std::size_t n = 0; n < inputs; ++n) {
            result.shared[n] += own.shared[n];
            result.alone[n] += own.alone[n];
        }
    });
    return result;
}

std::vector<double> ramplus_gains(const TensorJob& job, StatisticPasses& passes) {
    const InputChanges changes = passes.count_changes(job);
    std::vector<double> gains;
    for (std::size_t n = 0; n < job.inputs.size(); ++n) {
        const double ratio = static_cast<double>(changes.shared[n]) /
                             std::max(static_cast<double>(changes.alone[n]), job.numbers.epsilon);
        gains.push_back(1 + job.numbers.r * std::min(std::max(ratio, 0.0), job.numbers.alpha));
    }
    return gains;
}

void ram_block(const TensorJob& job, std::int64_t global, std::int64_t count, BlockBuffers& buffers,
               float* out) {
    load_block(job.base, global, count, buffers.base);
    for (float* totals : {buffers.sum, buffers.positive, buffers.negative})
        std::fill(totals, totals + count, 0.0f);
    for (const JobInput& input : job.inputs) {
        load_block(input.tensor, global, count, buffers.value);
        loops::subtract(buffers.base, buffers.value, count);
        add_active(buffers.value, job.epsilon, input.gain, buffers.sum, buffers.positive,
                   buffers.negative, count);
    }
    finish(buffers.base, buffers.sum, buffers.positive, buffers.negative, out, count);
}

}  // namespace galapagos
