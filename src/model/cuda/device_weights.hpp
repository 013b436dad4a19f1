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

}  // namespace galapagos::cuda
