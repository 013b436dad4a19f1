// A decoder language model as data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/architecture_layout.hpp"
#include "weights/arena.hpp"
#include "weights/dtype.hpp"
#include "weights/network_kinds.hpp"
#include "weights/rope_settings.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// What may differ from layer to layer.
struct LayerSettings {
    int64_t window = 0;          ///< a token sees this many tokens, itself included; 0: all
    int rope = 0;                ///< index into Architecture::ropes; -1: heads are not rotated
    double attention_scale = 0;  ///< factor of the scores
};

/// Everything the forward pass needs to know besides weights. Dimensions are those of the whole
/// model, not of one tensor-parallel rank.
struct Architecture {
    std::string model_type;
    const ArchitectureLayout* layout = nullptr;  ///< names of the tensors, and how they lie
    int64_t vocabulary = 0;
    int64_t hidden = 0;
    int64_t intermediate = 0;
    int64_t layers = 0;
    int64_t query_heads = 0;
    int64_t kv_heads = 0;
    int64_t head_dim = 0;
    int64_t max_positions = 0;

    NormKind norm = NormKind::rms;
    double norm_epsilon = 1e-6;
    Activation activation = Activation::silu;
    bool query_key_value_bias = false;
    bool attention_output_bias = false;
    bool mlp_bias = false;
    bool parallel_residual = false;  ///< attention and MLP read the same state
    bool tied_embeddings = false;
    bool scaled_embeddings = false;  ///< embeddings are multiplied by sqrt(hidden), in model dtype
    double attention_softcap = 0;    ///< scores become cap * tanh(score / cap); 0: they don't
    double logit_softcap = 0;
    int64_t experts = 0;  ///< 0: one MLP a layer
    int64_t experts_per_token = 0;
    std::vector<RopeSettings> ropes;
    std::vector<LayerSettings> layer_settings;  ///< one a layer, moved along when layers are

    /// Longest sequence that the position embeddings are defined for; 0: no limit.
    int64_t most_positions() const;

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
