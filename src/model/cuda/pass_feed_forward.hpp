#pragma once

#include "model/cuda/pass_context.hpp"
#include "model/cuda/rows_of_experts.hpp"
#include "model/layer_weights.hpp"

namespace galapagos::cuda {

/// The second half of a layer on the device. The experts of a mixture run on the rows that chose
/// them, which the host must wait for; on few rows, or in a step that is recorded, on all rows, and
/// what the router did not choose is left out of the sum.
template <typename T>
class PassFeedForward {
  public:
    /// `intermediate`: this rank's share of the MLP's width. `tokens`: the most in one pass.
    PassFeedForward(PassContext<T>& context, const Architecture& architecture,
                    std::int64_t intermediate, std::int64_t tokens);

    /// input and output: [the part's rows, hidden]. Several ranks' output is there when the sum of
    /// the part is awaited.
    void run(const LayerWeights<T>& layer, const T* input, const PassPart& part, T* output);

  private:
    void widen_and_activate(const MlpWeights<T>& mlp, const T* input, std::int64_t rows);
    void run_experts(const LayerWeights<T>& layer, const T* input, const PassPart& part);
    void sort_rows(std::int64_t rows);
    void answer_chosen_rows(const MlpWeights<T>& mlp, const T* input, AddExpert& add);
    void answer(const MlpWeights<T>& mlp, const T* input, std::int64_t rows);

    PassContext<T>& context_;
    Activation activation_;
    std::int64_t hidden_, intermediate_, experts_, chosen_, tokens_;
    T *gate_ = nullptr, *up_ = nullptr;

    // Of a mixture.
    T *router_logits_ = nullptr, *expert_input_ = nullptr;
    float *expert_weights_ = nullptr, *expert_output_ = nullptr;
    std::int32_t* chosen_rows_ = nullptr;  ///< [tokens * chosen], one expert's after the other's
    std::vector<float> weights_;
    RowsOfExperts rows_of_experts_;
};

}  // namespace galapagos::cuda
