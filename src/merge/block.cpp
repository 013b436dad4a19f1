#include "merge/job.hpp"
#include "merge/loops.hpp"
#include "merge/random_mask.hpp"

#include <algorithm>

namespace galapagos {

namespace {

/// How many of the elements [global, global + count) have numbers up to `last`.
std::int64_t elements_up_to(std::int64_t last, std::int64_t global, std::int64_t count) {
    return last < global ? 0 : std::min(count - 1, last - global) + 1;
}

void keep_largest(const JobInput& input, std::int64_t global, std::int64_t count, float* values) {
    // Ties at the threshold are kept up to and including element `last_tie`.
    const std::int64_t with_ties = elements_up_to(input.last_tie, global, count);
    loops::keep_from(input.threshold, values, with_ties);
    loops::keep_from(input.threshold + 1, values + with_ties, count - with_ties);
    if (input.ceiling == std::numeric_limits<std::uint32_t>::max()) return;
    const std::int64_t dropped_ties = elements_up_to(input.last_dropped_tie, global, count);
    loops::drop_from(input.ceiling, values, dropped_ties);
    loops::drop_from(input.ceiling + 1, values + dropped_ties, count - dropped_ties);
}

void keep_at_random(const TensorJob& job, const JobInput& input, std::int64_t global,
                    std::int64_t count, BlockBuffers& buffers) {
    const RandomWord* words = mask_words(mask_stream(job, input), global, count, buffers.random);
    loops::keep_random(words, input.keep_below, buffers.value, count);
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
    if (input.sparsity == Sparsity::by_rank) keep_by_rank(job, input, global, count, buffers);
}

void merge_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out) {
    if (job.lines && job.method != Method::arcee_fusion)
        return lines_block(job, global, count, buffers, out);
    switch (job.method) {
        case Method::linear:
        case Method::karcher:
        case Method::passthrough:
            return linear_block(job, global, count, buffers, out);
        case Method::nuslerp:
        case Method::multislerp:
        case Method::model_stock:
            if (job.base.data == nullptr) return linear_block(job, global, count, buffers, out);
            return task_arithmetic_block(job, global, count, buffers, out);
        case Method::slerp:
            return slerp_block(job, global, count, buffers, out);
        case Method::task_arithmetic:
        case Method::dare_linear:
        case Method::breadcrumbs:
        case Method::della_linear:
            return task_arithmetic_block(job, global, count, buffers, out);
        case Method::ties:
        case Method::dare_ties:
        case Method::breadcrumbs_ties:
        case Method::della:
            return sign_election_block(job, global, count, buffers, out);
        case Method::sce:
            return sce_block(job, global, count, buffers, out);
        case Method::ram:
        case Method::ramplus_tl:
            return ram_block(job, global, count, buffers, out);
        case Method::arcee_fusion:
            return arcee_fusion_block(job, global, count, buffers, out);
        case Method::nearswap:
            return nearswap_block(job, global, count, buffers, out);
    }
}

}  // namespace galapagos
