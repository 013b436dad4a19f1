// Weighted mean or sum of models (Wortsman et al., "Model soups", 2022).
#include "merge/fused.hpp"
#include "merge/loops.hpp"

#include <algorithm>

namespace galapagos {

void linear_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                  BlockBuffers& buffers, float* out) {
    if (can_fuse(job, false)) return fused_sum_block(job, false, global, count, out);
    bool first = true;
    for (const JobInput& input : job.inputs) {
        load_block(input.tensor, global, count, buffers.value);
        if (first)
            loops::scale(buffers.value, input.gain, out, count);
        else
            loops::add_scaled(buffers.value, input.gain, out, count);
        first = false;
    }
    if (first) std::fill(out, out + count, 0.0f);
}

}  // namespace galapagos
