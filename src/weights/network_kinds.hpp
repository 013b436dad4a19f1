// The choices that decoder networks differ in. Enumerations only: kernels include this file.
#pragma once

namespace galapagos {

/// How a row x of activations is normalised, with weight w and bias b.
enum class NormKind {
    rms,           ///< w * T(x / sqrt(mean(x^2) + epsilon)), T being the model's type
    rms_plus_one,  ///< T((1 + w) * x / sqrt(mean(x^2) + epsilon))
    layer,         ///< T(w * (x - mean(x)) / sqrt(variance(x) + epsilon) + b)
};

enum class Activation {
    silu,       ///< x / (1 + exp(-x))
    gelu,       ///< x * Phi(x)
    gelu_tanh,  ///< its tanh approximation, "gelu_new" and "gelu_pytorch_tanh"
};

/// How the projections to queries, keys and values lie in the weights.
enum class QueryKeyValue {
    separate,  ///< three matrices
    blocks,    ///< one matrix: all queries, all keys, all values
    per_head,  ///< one matrix: query, key and value of the first head, then of the second, ...
};

}  // namespace galapagos
