#pragma once

#include <cstdint>

#include "weights/instruction_set.hpp"
#include "weights/network_kinds.hpp"

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
    float softcap;  ///< scores become cap * tanh(score / cap); 0: they don't
};

/// One query's scores against `length` positions, of which it sees [first, last).
struct ScoreRow {
    float* scores;  ///< overwritten
    int64_t length;
    int64_t first;
    int64_t last;
    float scale;
    float softcap;  ///< as in AttentionShape
};

/// A norm's weights, [width] each; bias of layer norms only.
template <typename T>
struct Norm {
    NormKind kind = NormKind::rms;
    const T* weight = nullptr;
    const T* bias = nullptr;
    float epsilon = 0;
};

/// Kernels that work on one row (token) and one thread, for activations of type T (float or Bf16).
/// All arithmetic is in fp32; a value is rounded to T wherever transformers holds it in T.
template <typename T>
struct RowKernels {
    const char* name;  ///< instruction set

    /// residual += delta (skipped if delta is null), then normed = norm(residual); all of `width`
    /// elements. normed may be residual.
    void (*add_norm)(T* residual, const T* delta, const Norm<T>& norm, T* normed, int64_t width);

    /// Rotates the first rotary_dim elements of `heads` heads in place: pairs
    /// (d, d + rotary_dim/2), cosines and sines [rotary_dim/2].
    void (*rotate)(T* heads_data, int64_t heads, int64_t head_dim, int64_t rotary_dim,
                   const float* cosines, const float* sines);

    /// gate = T(activation(gate)) * up, or without the product if up is null.
    void (*activate)(Activation activation, T* gate, const T* up, int64_t width);

    /// data = cap * tanh(data / cap).
    void (*soft_cap)(T* data, int64_t width, float cap);

    /// output = a + b.
    void (*add)(const T* a, const T* b, T* output, int64_t width);

    /// data = data * factor.
    void (*scale)(T* data, int64_t width, float factor);

    /// sum += factor * input.
    void (*add_scaled)(const float* input, float factor, float* sum, int64_t width);

    /// output = T(sum + bias); bias may be null.
    void (*round_sum)(const float* sum, const T* bias, T* output, int64_t width);

    void (*widen)(const T* input, float* output, int64_t width);

    /// Attention of one token: queries and output [group, head_dim], keys and values
    /// [length, head_dim]; scratch holds group * (length + 2 * head_dim) floats.
    void (*attend)(const T* queries, const T* keys, const T* values, T* output, float* scratch,
                   const AttentionShape& shape);

    /// Turns scores s into weights T(exp(s - their maximum)), 0 where the query doesn't see;
    /// returns the sum of the exponentials.
    float (*weigh)(const ScoreRow& row, T* weights);

    /// output = T(sum / divisor).
    void (*divide)(const float* sum, float divisor, T* output, int64_t width);

    /// Greedy choice and normaliser of `count` logits.
    ShardStatistics (*shard_statistics)(const T* logits, int64_t count);
};

/// The kernels of an instruction set that this processor has.
template <typename T>
const RowKernels<T>& row_kernels(InstructionSet set);

/// Those in use.
template <typename T>
const RowKernels<T>& row_kernels() {
    static const RowKernels<T>& chosen = row_kernels<T>(instruction_set());
    return chosen;
}

}  // namespace galapagos
