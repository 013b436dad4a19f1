// Combinations of models whose factors differ from row to row, or from column to column.
#include <algorithm>

#include "merge/job.hpp"
#include "merge/loops.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

GALAPAGOS_VECTOR_CLONES
void add_products(const float* __restrict x, const float* __restrict factors, float* __restrict out,
                  std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out[i] += factors[i] * x[i];
}

/// The factors of input `input` for the elements from `global` on.
void spread_factors(const LineFactors& lines, std::size_t input, std::int64_t global,
                    std::int64_t count, float* factors) {
    const float* own = lines.factors.data() + input * static_cast<std::size_t>(lines.lines);
    for (std::int64_t at = 0; at < count;) {
        const std::int64_t inside = (global + at) % lines.length;
        const std::int64_t run = std::min(count - at, lines.length - inside);
        if (lines.columns)
            std::copy(own + inside, own + inside + run, factors + at);
        else
            std::fill(factors + at, factors + at + run, own[(global + at) / lines.length]);
        at += run;
    }
}

}  // namespace

void lines_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out) {
    const bool with_base = job.base.data != nullptr;
    if (with_base) load_block(job.base, global, count, buffers.base);
    std::fill(buffers.sum, buffers.sum + count, 0.0f);
    for (std::size_t i = 0; i < job.inputs.size(); ++i) {
        load_block(job.inputs[i].tensor, global, count, buffers.value);
        if (with_base) loops::subtract(buffers.base, buffers.value, count);
        spread_factors(*job.lines, i, global, count, buffers.positive);
        add_products(buffers.value, buffers.positive, buffers.sum, count);
    }
    if (with_base)
        loops::add_to_base(buffers.base, buffers.sum, 1, out, count);
    else
        std::copy(buffers.sum, buffers.sum + count, out);
}

}  // namespace galapagos
