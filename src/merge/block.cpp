#include "merge/job.hpp"
#include "merge/loops.hpp"
#include "merge/random_mask.hpp"

#include <algorithm>

namespace galapagos {

namespace {

void keep_largest(const JobInput& input, std::int64_t global, std::int64_t count, float* values) {
    // Ties at the threshold are kept up to and including element `last_tie`.
    const std::int64_t with_ties =
        input.last_tie < global
            ? 0
            : std::min(count, input.last_tie == std::numeric_limits<std::int64_t>::max()
                                  ? count
                                  : input.last_tie + 1 - global);
    loops::keep_from(input.threshold, values, with_ties);
    loops::keep_from(input.threshold + 1, values + with_ties, count - with_ties);
}

void keep_at_random(const TensorJob& job, const JobInput& input, std::int64_t global,
                    std::int64_t count, BlockBuffers& buffers) {
    const std::int64_t first = global / mask_tile * mask_tile;
    const std::int64_t last = (global + count + mask_tile - 1) / mask_tile * mask_tile;
    mask_words({job.seed, job.name_hash, input.position}, first, last - first, buffers.random);
    loops::keep_random(buffers.random + (global - first), input.keep_below, buffers.value, count);
}

}  // namespace

void load_block(const StoredTensor& tensor, std::int64_t global, std::int64_t count,
                float* values) {
    to_float(tensor.data + static_cast<std::size_t>(global) * size_of(tensor.dtype), tensor.dtype,
             values, static_cast<std::size_t>(count));
}

void sparse_delta_block(const TensorJob& job, const JobInput& input, std::int64_t global,
                        std::int64_t count, BlockBuffers& buffers) {
    load_block(input.tensor, global, count, buffers.value);
    loops::subtract(buffers.base, buffers.value, count);
    if (input.sparsity == Sparsity::magnitude) keep_largest(input, global, count, buffers.value);
    if (input.sparsity == Sparsity::random) keep_at_random(job, input, global, count, buffers);
}

void merge_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out) {
    switch (job.method) {
        case Method::linear:
            return linear_block(job, global, count, buffers, out);
        case Method::slerp:
            return slerp_block(job, global, count, buffers, out);
        case Method::task_arithmetic:
        case Method::dare_linear:
            return task_arithmetic_block(job, global, count, buffers, out);
        case Method::ties:
        case Method::dare_ties:
            return sign_election_block(job, global, count, buffers, out);
    }
}

}  // namespace galapagos
