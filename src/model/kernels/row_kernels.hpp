#pragma once

#include <cstdint>

namespace galapagos {

/// A bfloat16 in memory. (Kernels take no torch header: they are compiled once per instruction
/// set, and inline functions shared with other files would then be ambiguous.)
enum class Bf16 : uint16_t {};

/// What one vocabulary shard knows about the next token.
struct ShardStatistics {
    float maximum;   ///< largest logit; NaN if any logit is NaN
    int32_t argmax;  ///< lowest local index that has it
    float sum_exp;   ///< sum of exp(logit - maximum)
};

/// Shapes of one decode-attention task: the query heads that share a key-value head.
struct AttentionShape {
    int64_t group;   ///< query heads
    int64_t length;  ///< cached positions, the current one included
    int64_t head_dim;
    float scale;
};

/// Kernels that work on one row (token) and one thread, for activations of type T (float or Bf16).
/// All arithmetic is in fp32; a value is rounded to T wherever transformers holds it in T.
template <typename T>
struct RowKernels {
    const char* name;  ///< instruction set

    /// residual += delta (skipped if delta is null), then
    /// normed = weight * T(residual / sqrt(mean(residual^2) + epsilon)); all of `width` elements.
    void (*add_rms_norm)(T* residual, const T* delta, const T* weight, T* normed, int64_t width,
                         float epsilon);

    /// Rotates `heads` heads in place: pairs (d, d + head_dim/2), cosines and sines [head_dim/2].
    void (*rotate)(T* heads_data, int64_t heads, int64_t head_dim, const float* cosines,
                   const float* sines);

    /// gate = T(silu(gate)) * up.
    void (*silu_multiply)(T* gate, const T* up, int64_t width);

    /// output = T(sum + bias); bias may be null.
    void (*round_sum)(const float* sum, const T* bias, T* output, int64_t width);

    void (*widen)(const T* input, float* output, int64_t width);

    /// Attention of one token: queries and output [group, head_dim], keys and values
    /// [length, head_dim]; scratch holds group * (length + 2 * head_dim) floats.
    void (*attend)(const T* queries, const T* keys, const T* values, T* output, float* scratch,
                   const AttentionShape& shape);

    /// Greedy choice and normaliser of `count` logits.
    ShardStatistics (*shard_statistics)(const T* logits, int64_t count);
};

/// The fastest variant this processor can run.
template <typename T>
const RowKernels<T>& row_kernels();

/// Every variant this processor can run, the portable one first (for tests).
template <typename T>
int row_kernel_variants(const RowKernels<T>* variants[3]);

}  // namespace galapagos
