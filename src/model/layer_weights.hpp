#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "model/attention.hpp"
#include "model/linear.hpp"
#include "weights/architecture.hpp"
#include "weights/arena.hpp"

namespace galapagos {

/// The heads of one rank.
inline HeadCounts heads_of(const Sharding& sharding, const Architecture& architecture) {
    return {sharding.q_head_end() - sharding.q_head_begin(),
            sharding.kv_head_end() - sharding.kv_head_begin(), architecture.head_dim};
}

/// One MLP, or one expert. Without a gate its weight is null.
template <typename T>
struct MlpWeights {
    Linear<T> gate, up, down;
};

/// Pointers into the arena for one layer of this rank's shard. Norms that the architecture lacks
/// have no weight.
template <typename T>
struct LayerWeights {
    Norm<T> attention_norm, attention_post_norm, query_norm, key_norm;
    Linear<T> query, key, value;
    Linear<T> query_key_value;  ///< instead of the three, where they are one product
    Linear<T> attention_output;
    Norm<T> mlp_norm, mlp_post_norm;
    MlpWeights<T> mlp;
    Linear<T> router;
    std::vector<MlpWeights<T>> experts;
};

/// Pointers into the arena for the whole model.
template <typename T>
struct ModelWeights {
    const T* embedding;  ///< [local vocabulary, hidden]
    const T* positions;  ///< [max positions, hidden] or null
    std::vector<LayerWeights<T>> layers;
    Norm<T> final_norm;
    Linear<T> head;  ///< the embedding again where the two are tied
};

/// Looks the tensors up once: the arena keeps its addresses.
template <typename T>
class WeightBinder {
  public:
    WeightBinder(const Architecture& architecture, const HeadCounts& heads, const Arena& arena)
        : architecture_(architecture),
          names_(architecture.layout->names),
          heads_(heads),
          arena_(arena) {}

    ModelWeights<T> bind() const {
        ModelWeights<T> weights;
        weights.embedding = vector(architecture_.layout->embedding);
        weights.positions =
            names_.positions.empty() ? nullptr : vector(architecture_.layout->positions);
        for (int64_t layer = 0; layer < architecture_.layers; ++layer)
            weights.layers.push_back(bind_layer(layer));
        weights.final_norm = norm({}, names_.final_norm);
        weights.head =
            matrix({}, architecture_.tied_embeddings ? names_.embedding : names_.head, false);
        return weights;
    }

  private:
    LayerWeights<T> bind_layer(int64_t index) const {
        const std::string prefix = names_.layer_prefix(index);
        LayerWeights<T> layer;
        layer.attention_norm = norm(prefix, names_.attention_norm);
        layer.attention_post_norm = norm(prefix, names_.attention_post_norm);
        layer.query_norm = norm(prefix, names_.query_norm);
        layer.key_norm = norm(prefix, names_.key_norm);
        layer.mlp_norm = norm(prefix, names_.mlp_norm);
        layer.mlp_post_norm = norm(prefix, names_.mlp_post_norm);
        bind_attention(prefix, layer);
        if (architecture_.experts == 0) {
            layer.mlp = bind_mlp(prefix);
            return layer;
        }
        layer.router = matrix(prefix, names_.router, false);
        for (int64_t expert = 0; expert < architecture_.experts; ++expert)
            layer.experts.push_back(bind_mlp(names_.expert_prefix(index, expert)));
        return layer;
    }

    void bind_attention(const std::string& prefix, LayerWeights<T>& layer) const {
        const bool transposed = architecture_.layout->transposed_linears;
        layer.attention_output = matrix(prefix, names_.attention_output, transposed);
        if (names_.query_key_value.empty()) {
            layer.query = matrix(prefix, names_.query, transposed);
            layer.key = matrix(prefix, names_.key, transposed);
            layer.value = matrix(prefix, names_.value, transposed);
            return;
        }
        const Linear<T> all = matrix(prefix, names_.query_key_value, transposed);
        if (transposed || architecture_.layout->query_key_value == QueryKeyValue::per_head) {
            layer.query_key_value = all;
            return;
        }
        const int64_t query = heads_.query * heads_.head_dim, kv = heads_.kv * heads_.head_dim;
        layer.query = rows(all, 0, query);
        layer.key = rows(all, query, kv);
        layer.value = rows(all, query + kv, kv);
    }

    MlpWeights<T> bind_mlp(const std::string& prefix) const {
        const bool transposed = architecture_.layout->transposed_linears;
        MlpWeights<T> mlp;
        mlp.down = matrix(prefix, names_.down, transposed);
        if (names_.gate_up.empty()) {
            mlp.gate = matrix(prefix, names_.gate, transposed);
            mlp.up = matrix(prefix, names_.up, transposed);
            return mlp;
        }
        const Linear<T> both = matrix(prefix, names_.gate_up, false);
        mlp.gate = rows(both, 0, both.out / 2);
        mlp.up = rows(both, both.out / 2, both.out / 2);
        return mlp;
    }

    /// Some outputs of a product.
    static Linear<T> rows(const Linear<T>& all, int64_t first, int64_t count) {
        return {all.weight + first * all.in, all.bias == nullptr ? nullptr : all.bias + first,
                count, all.in};
    }

    const T* vector(const std::string& name) const {
        return reinterpret_cast<const T*>(arena_.view(name).data);
    }

    Norm<T> norm(const std::string& prefix, std::string_view name) const {
        if (name.empty()) return {};
        const std::string module = prefix + std::string(name);
        return {architecture_.norm, vector(module + ".weight"),
                architecture_.norm == NormKind::layer ? vector(module + ".bias") : nullptr,
                static_cast<float>(architecture_.norm_epsilon)};
    }

    Linear<T> matrix(const std::string& prefix, std::string_view name, bool transposed) const {
        if (name.empty()) return {};
        const std::string module = prefix + std::string(name);
        const TensorView weight = arena_.view(module + ".weight");
        const std::string bias = module + ".bias";
        return {reinterpret_cast<const T*>(weight.data), arena_.has(bias) ? vector(bias) : nullptr,
                weight.shape.at(transposed ? 1 : 0), weight.shape.at(transposed ? 0 : 1),
                transposed};
    }

    const Architecture& architecture_;
    const TensorNames& names_;
    HeadCounts heads_;
    const Arena& arena_;
};

}  // namespace galapagos
