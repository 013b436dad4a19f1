// One tensor of one candidate, ready for the kernels: pointers and fp32 numbers, nothing to look
// up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "merge/method.hpp"
#include "merge/random_mask.hpp"
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
    magnitude,  ///< the largest of the tensor, perhaps without the very largest
    random,     ///< each element with the same probability
    by_rank,    ///< each with a probability that grows with its rank in its row
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
    /// Magnitude: drop bit patterns above this, and equal ones up to element `last_dropped_tie`.
    std::uint32_t ceiling = std::numeric_limits<std::uint32_t>::max();
    std::int64_t last_dropped_tie = -1;
    /// By rank: the ranks of all elements, from 0 to 65535; keep where the upper 16 bits of the
    /// random word are below lowest + slope * rank; divide by that probability if `inverse_p`.
    const std::uint16_t* ranks = nullptr;
    float lowest = 0;
    float slope = 0;
    bool inverse_p = false;
    /// Random: keep where the element's random word is below this.
    RandomWord keep_below = 0;
    std::uint32_t position = 0;  ///< among the recipe's inputs; keys the random words
};

/// A factor for each row or column of a tensor and each input: factors[input * lines + line].
struct LineFactors {
    std::int64_t length = 1;  ///< of a row; for columns, the number of columns
    bool columns = false;
    std::int64_t lines = 1;
    std::vector<float> factors;

    std::int64_t line_of(std::int64_t element) const {
        return columns ? element % length : element / length;
    }
};

struct TensorJob {
    Method method = Method::linear;
    StoredTensor base;
    std::vector<JobInput> inputs;
    bool normalize = false;  ///< sign elections only; otherwise it is part of `factor`
    float factor = 1;        ///< of the sum of task vectors: lambda, and normalization
    float base_gain = 1;     ///< slerp's coefficient of the base
    float t = 0;             ///< nearswap
    float epsilon = 0;       ///< ram: the least change that counts
    /// sce, arcee_fusion: what is kept has a bit pattern above this, or is equal up to `last_tie`.
    std::uint32_t threshold = 0;
    std::int64_t last_tie = std::numeric_limits<std::int64_t>::max();
    std::shared_ptr<const LineFactors> lines;
    // What the statistics need to know.
    MethodNumbers numbers;
    std::int64_t count = 0;       ///< elements of the whole tensor
    std::int64_t row_length = 1;  ///< its last dimension
    std::int64_t rows = 1;        ///< its first dimension
    std::uint64_t seed = 0;       ///< of the random words, with name_hash
    std::uint64_t name_hash = 0;
};

/// The random words of an input.
inline MaskStream mask_stream(const TensorJob& job, const JobInput& input) {
    return {job.seed, job.name_hash, input.position};
}

/// Scratch of one thread.
struct BlockBuffers {
    alignas(64) float base[block_elements];
    alignas(64) float value[block_elements];
    alignas(64) float sum[block_elements];
    alignas(64) float positive[block_elements];
    alignas(64) float negative[block_elements];
    alignas(64) float positive_vote[block_elements];
    alignas(64) float negative_vote[block_elements];
    alignas(64) std::uint32_t keys[block_elements];
    alignas(64) RandomWord random[block_elements + mask_room];
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
/// Like task arithmetic (or linear, without a base), with a gain for each row or column.
void lines_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                 BlockBuffers& buffers, float* out);
void sce_block(const TensorJob& job, std::int64_t global, std::int64_t count, BlockBuffers& buffers,
               float* out);
void ram_block(const TensorJob& job, std::int64_t global, std::int64_t count, BlockBuffers& buffers,
               float* out);
void arcee_fusion_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                        BlockBuffers& buffers, float* out);
void nearswap_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                    BlockBuffers& buffers, float* out);
/// Thins buffers.value for `della`.
void keep_by_rank(const TensorJob& job, const JobInput& input, std::int64_t global,
                  std::int64_t count, BlockBuffers& buffers);

/// buffers.value = the input's task vector against buffers.base, zero where it is dropped.
void sparse_delta_block(const TensorJob& job, const JobInput& input, std::int64_t global,
                        std::int64_t count, BlockBuffers& buffers);

}  // namespace galapagos
