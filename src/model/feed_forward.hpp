#pragma once

#include <vector>

#include "model/buffer.hpp"
#include "model/layer_weights.hpp"
#include "model/rank_sum.hpp"

namespace galapagos {

/// The second half of a layer: an MLP, or a router that chooses some of several MLPs a token.
template <typename T>
class FeedForward {
  public:
    /// `intermediate`: this rank's share of the MLP's width. `tokens`: the most in one pass.
    FeedForward(const Architecture& architecture, int64_t intermediate, int64_t tokens,
                RankSum<T>& sum);

    /// input and output: [rows, hidden].
    void run(const LayerWeights<T>& layer, const T* input, int64_t rows, T* output);

  private:
    /// A token that an expert works on, and the weight of its answer.
    struct Assignment {
        int64_t row;
        float weight;
    };

    void widen_and_activate(const MlpWeights<T>& mlp, const T* input, int64_t rows);
    void choose_experts(const Linear<T>& router, const T* input, int64_t rows);
    void run_expert(const MlpWeights<T>& expert, std::span<const Assignment> assigned,
                    const T* input);

    Activation activation_;
    int64_t hidden_, intermediate_, experts_, experts_per_token_;
    RankSum<T>& sum_;
    Buffer<T> gate_, up_;
    Buffer<T> router_logits_, expert_input_;
    Buffer<float> expert_output_;
    std::vector<std::vector<Assignment>> assignments_;  ///< of each expert, in order of rows
};

}  // namespace galapagos
