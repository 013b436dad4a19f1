// Base plus task vectors that agree in sign: TIES (Yadav et al., 2023) and DARE with its sign
// election. The two differ in which elements of a task vector are kept.
#include "merge/fused.hpp"
#include "merge/job.hpp"
#include "merge/loops.hpp"

#include <algorithm>

namespace galapagos {

void sign_election_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                         BlockBuffers& buffers, float* out) {
    if (can_fuse(job, true)) return fused_delta_block(job, true, global, count, out);
    load_block(job.base, global, count, buffers.base);
    const loops::Tally totals{buffers.sum, buffers.positive, buffers.negative,
                              buffers.positive_vote, buffers.negative_vote};
    bool first = true;
    for (const JobInput& input : job.inputs) {
        if (input.sparsity == Sparsity::empty) continue;
        sparse_delta_block(job, input, global, count, buffers);
        loops::tally(buffers.value, input.gain, input.vote, first, totals, count);
        first = false;
    }
    if (first)
        std::copy(buffers.base, buffers.base + count, out);
    else
        loops::elect(buffers.base, totals, job.normalize, job.factor, out, count);
}

}  // namespace galapagos
