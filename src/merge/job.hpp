// One tensor of one candidate, ready for the kernels: pointers and fp32 numbers, nothing to look
// up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "merge/method.hpp"
#include "weights/dtype.hpp"

namespace galapagos {

/// Elements that a kernel handles at a time: the buffers below stay in the first-level cache.
inline constexpr std::int64_t block_elements = 1024;

/// A whole tensor in a mapped file.
struct StoredTensor {
    const std::byte* data = nullptr;
    DType dtype = DType::f32;
};

enum class Sparsity : std::uint8_t {
    dense,
    magnitude,  ///< the largest of the tensor
    random,     ///< each element with the same probability
    empty,      ///< nothing is kept
};

struct JobInput {
    StoredTensor tensor;
    float gain = 1;  ///< factor of the kept values: weight, and rescaling
    float vote = 1;  ///< weight in the divisor of sign elections
    Sparsity sparsity = Sparsity::dense;
    /// Magnitude: keep bit patterns of |delta| above this, and equal ones up to element `last_tie`.
    std::uint32_t threshold = 0;
    std::int64_t last_tie = std::numeric_limits<std::int64_t>::max();
    /// Random: keep where the element's random word is below this.
    std::uint32_t keep_below = 0;
    std::uint32_t position = 0;  ///< among the recipe's inputs; keys the random words
};

struct TensorJob {
    Method method = Method::linear;
    StoredTensor base;
    std::vector<JobInput> inputs;
    bool normalize = false;  ///< sign elections only; otherwise it is part of `factor`
    float factor = 1;        ///< of the sum of task vectors: lambda, and normalization
    float base_gain = 1;     ///< slerp's coefficient of the base
    std::uint64_t seed = 0;  ///< of the random words, with name_hash
    std::uint64_t name_hash = 0;
};

/// Scratch of one thread.
struct BlockBuffers {
    alignas(64) float base[block_elements];
    alignas(64) float value[block_elements];
    alignas(64) float sum[block_elements];
    alignas(64) float positive[block_elements];
    alignas(64) float negative[block_elements];
    alignas(64) float positive_vote[block_elements];
    alignas(64) float negative_vote[block_elements];
    alignas(64) std::uint32_t random[block_elements + 256];
};

/// Elements [global, global + count) of a stored tensor as floats; count <= block_elements.
void load_block(const StoredTensor& tensor, std::int64_t global, std::int64_t count, float* values);

/// Merges elements [global, global + count) of the whole tensor into `out` (not in `buffers`).
void merge_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out);

// The methods' kernels.
void linear_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                  BlockBuffers& buffers, float* out);
void slerp_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out);
void task_arithmetic_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                           BlockBuffers& buffers, float* out);
void sign_election_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                         BlockBuffers& buffers, float* out);

/// buffers.value = the input's task vector against buffers.base, zero where it is dropped.
void sparse_delta_block(const TensorJob& job, const JobInput& input, std::int64_t global,
                        std::int64_t count, BlockBuffers& buffers);

}  // namespace galapagos
