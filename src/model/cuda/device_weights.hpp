// The weights of a candidate whose arena has a copy on the device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/layer_weights.hpp"

namespace galapagos::cuda {

/// Turns addresses in the host's arena into those of its copy.
class ArenaCopy {
  public:
    ArenaCopy(const Arena& arena, const std::byte* copy)
        : shift_(reinterpret_cast<std::uintptr_t>(copy) -
                 reinterpret_cast<std::uintptr_t>(arena.span().data())) {}

    template <typename T>
    ModelWeights<T> moved(ModelWeights<T> weights) const {
        move(weights.embedding);
        move(weights.positions);
        move(weights.final_norm);
        move(weights.head);
        for (LayerWeights<T>& layer : weights.layers) move(layer);
        return weights;
    }

  private:
    template <typename T>
    void move(const T*& address) const {
        if (address != nullptr)
            address =
                reinterpret_cast<const T*>(reinterpret_cast<std::uintptr_t>(address) + shift_);
    }
    template <typename T>
    void move(Norm<T>& norm) const {
        move(norm.weight);
        move(norm.bias);
    }
    template <typename T>
    void move(Linear<T>& layer) const {
        move(layer.weight);
        move(layer.bias);
    }
    template <typename T>
    void move(MlpWeights<T>& mlp) const {
        move(mlp.gate);
        move(mlp.up);
        move(mlp.down);
    }
    template <typename T>
    void move(LayerWeights<T>& layer) const {
        for (Norm<T>* norm : {&layer.attention_norm, &layer.attention_post_norm, &layer.query_norm,
                              &layer.key_norm, &layer.mlp_norm, &layer.mlp_post_norm})
            move(*norm);
        for (Linear<T>* linear : {&layer.query, &layer.key, &layer.value, &layer.query_key_value,
                                  &layer.attention_output, &layer.router})
            move(*linear);
        move(layer.mlp);
        for (MlpWeights<T>& expert : layer.experts) move(expert);
    }

    std::uintptr_t shift_;
};

/// Whether `b` goes on where `a` ends, so that both can be one product.
template <typename T>
bool follows(const Linear<T>& a, const Linear<T>& b) {
    const bool same_biases =
        a.bias == nullptr ? b.bias == nullptr : b.bias != nullptr && b.bias == a.bias + a.out;
    return b.weight == a.weight + a.out * a.in && b.in == a.in && same_biases && !a.transposed &&
           !b.transposed;
}

/// Makes queries, keys and values one product where their weights lie one behind the other: those
/// of keys and values alone are too small for a GPU.
template <typename T>
ModelWeights<T> join_neighbours(ModelWeights<T> weights) {
    for (LayerWeights<T>& layer : weights.layers) {
        if (layer.query.weight == nullptr || !follows(layer.query, layer.key) ||
            !follows(layer.key, layer.value))
            continue;
        layer.query_key_value = layer.query;
        layer.query_key_value.out += layer.key.out + layer.value.out;
        layer.query = layer.key = layer.value = {};
    }
    return weights;
}

}  // namespace galapagos::cuda
