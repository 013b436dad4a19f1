#pragma once

#include "model/cuda/pass_context.hpp"
#include "model/layer_weights.hpp"

namespace galapagos::cuda {

/// The second half of a layer on the device. Of a mixture every expert runs on every row, and what
/// the router did not choose is left out of the sum: the host need not know the choice.
template <typename T>
class PassFeedForward {
  public:
    /// `intermediate`: this rank's share of the MLP's width. `tokens`: the most in one pass.
    PassFeedForward(PassContext<T>& context, const Architecture& architecture,
                    std::int64_t intermediate, std::int64_t tokens);

    /// input and output: [rows, hidden].
    void run(const LayerWeights<T>& layer, const T* input, std::int64_t rows, T* output);

  private:
    void widen_and_activate(const MlpWeights<T>& mlp, const T* input, std::int64_t rows);
    void run_experts(const LayerWeights<T>& layer, const T* input, std::int64_t rows);

    PassContext<T>& context_;
    Activation activation_;
    std::int64_t hidden_, intermediate_, experts_, chosen_;
    T *gate_ = nullptr, *up_ = nullptr;
    T* router_logits_ = nullptr;
    float *expert_weights_ = nullptr, *expert_output_ = nullptr;
};

}  // namespace galapagos::cuda
