// Base plus weighted task vectors: task arithmetic (Ilharco et al., 2023), and DARE without sign
// election (Yu et al., 2024), whose task vectors are randomly thinned.
#include "merge/fused.hpp"
#include "merge/job.hpp"
#include "merge/loops.hpp"

#include <algorithm>

namespace galapagos {

void task_arithmetic_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                           BlockBuffers& buffers, float* out) {
    if (can_fuse(job, false)) return fused_delta_block(job, false, global, count, out);
    load_block(job.base, global, count, buffers.base);
    bool first = true;
    for (const JobInput& input : job.inputs) {
        if (input.sparsity == Sparsity::empty) continue;
        sparse_delta_block(job, input, global, count, buffers);
        if (first)
            loops::scale(buffers.value, input.gain, buffers.sum, count);
        else
            loops::add_scaled(buffers.value, input.gain, buffers.sum, count);
        first = false;
    }
    if (first)
        std::copy(buffers.base, buffers.base + count, out);
    else
        loops::add_to_base(buffers.base, buffers.sum, job.factor, out, count);
}

}  // namespace galapagos
