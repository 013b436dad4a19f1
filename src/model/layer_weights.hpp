#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/architecture.hpp"
#include "model/linear.hpp"
#include "weights/arena.hpp"

namespace galapagos {

/// Pointers into the arena for one layer of this rank's shard.
template <typename T>
struct LayerWeights {
    const T* attention_norm;
    const T* mlp_norm;
    Linear<T> query, key, value, attention_output;
    Linear<T> gate, up, down;
};

/// Pointers into the arena for the whole model.
template <typename T>
struct ModelWeights {
    const T* embedding;  ///< [local vocabulary, hidden]
    std::vector<LayerWeights<T>> layers;
    const T* final_norm;
    Linear<T> head;  ///< the embedding again where the two are tied
};

/// Looks the tensors up once: the arena keeps its addresses.
template <typename T>
class WeightBinder {
  public:
    explicit WeightBinder(const Arena& arena) : arena_(arena) {}

    ModelWeights<T> bind(const Architecture& architecture) const {
        ModelWeights<T> weights;
        weights.embedding = vector("model.embed_tokens.weight");
        for (int64_t layer = 0; layer < architecture.layers; ++layer)
            weights.layers.push_back(bind_layer("model.layers." + std::to_string(layer) + "."));
        weights.final_norm = vector("model.norm.weight");
        weights.head = matrix(architecture.tied_embeddings ? "model.embed_tokens" : "lm_head");
        return weights;
    }

  private:
    LayerWeights<T> bind_layer(const std::string& prefix) const {
        LayerWeights<T> layer;
        layer.attention_norm = vector(prefix + "input_layernorm.weight");
        layer.mlp_norm = vector(prefix + "post_attention_layernorm.weight");
        layer.query = matrix(prefix + "self_attn.q_proj");
        layer.key = matrix(prefix + "self_attn.k_proj");
        layer.value = matrix(prefix + "self_attn.v_proj");
        layer.attention_output = matrix(prefix + "self_attn.o_proj");
        layer.gate = matrix(prefix + "mlp.gate_proj");
        layer.up = matrix(prefix + "mlp.up_proj");
        layer.down = matrix(prefix + "mlp.down_proj");
        return layer;
    }

    const T* vector(const std::string& name) const {
        return reinterpret_cast<const T*>(arena_.view(name).data);
    }

    Linear<T> matrix(const std::string& name) const {
        const TensorView weight = arena_.view(name + ".weight");
        const std::string bias = name + ".bias";
        return {reinterpret_cast<const T*>(weight.data), arena_.has(bias) ? vector(bias) : nullptr,
                weight.shape.at(0), weight.shape.at(1)};
    }

    const Arena& arena_;
};

}  // namespace galapagos
