#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/arena.hpp"
#include "weights/dtype.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// How rotary frequencies are derived from `theta`.
struct RopeSettings {
    enum class Kind { standard, linear, llama3 };
    Kind kind = Kind::standard;
    double theta = 10000.0;
    double factor = 1.0;                 ///< linear, llama3: how much longer the context became
    double low_freq_factor = 1.0;        ///< llama3
    double high_freq_factor = 4.0;       ///< llama3
    int64_t original_max_positions = 0;  ///< llama3
};

/// A decoder language model as data: everything the forward pass needs to know besides weights.
/// Dimensions are those of the whole model, not of one tensor-parallel rank.
struct Architecture {
    std::string model_type;
    int64_t vocabulary = 0;
    int64_t hidden = 0;
    int64_t intermediate = 0;
    int64_t layers = 0;
    int64_t query_heads = 0;
    int64_t kv_heads = 0;
    int64_t head_dim = 0;
    int64_t max_positions = 0;
    double norm_epsilon = 1e-6;
    bool tied_embeddings = false;
    bool attention_bias = false;
    bool mlp_bias = false;
    RopeSettings rope;

    /// Reads a Hugging Face config.json document; absent keys take transformers' defaults.
    /// `origin` names the document in errors. Throws Error naming the key for everything that this
    /// decoder would compute differently from transformers.
    static Architecture from_config(const nlohmann::json& config, const std::string& origin);
};

/// A tensor of the whole model: Hugging Face name and unsharded shape.
struct ModelTensor {
    std::string name;
    Shape shape;
};

/// Every tensor the decoder reads, in the order in which the forward pass meets them. A tied
/// output head is not listed: the embedding serves as one.
std::vector<ModelTensor> model_tensors(const Architecture& architecture);

/// The arena of one tensor-parallel rank: `model_tensors` with this rank's shapes, in `dtype`.
std::vector<TensorSpec> arena_specs(const Architecture& architecture, const Sharding& sharding,
                                    DType dtype);

}  // namespace galapagos
