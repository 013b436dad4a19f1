#include "model/cuda/pass_feed_forward.hpp"

#include <array>

namespace galapagos::cuda {

template <typename T>
PassFeedForward<T>::PassFeedForward(PassContext<T>& context, const Architecture& architecture,
                                    std::int64_t intermediate, std::int64_t tokens)
    : context_(context),
      activation_(architecture.activation),
      hidden_(architecture.hidden),
      intermediate_(intermediate),
      experts_(architecture.experts),
      chosen_(architecture.experts_per_token) {
    PassMemory& memory = context.memory;
    memory.add(gate_, tokens * intermediate);
    memory.add(up_, tokens * intermediate);
    if (experts_ == 0) return;
    memory.add(router_logits_, tokens * experts_);
    memory.add(expert_weights_, tokens * experts_);
    memory.add(expert_output_, tokens * hidden_);
}

template <typename T>
void PassFeedForward<T>::run(const LayerWeights<T>& layer, const T* input, std::int64_t rows,
                             T* output) {
    if (experts_ == 0) {
        widen_and_activate(layer.mlp, input, rows);
        context_.sliced_linear(layer.mlp.down, gate_, rows, output);
        return;
    }
    run_experts(layer, input, rows);
    context_.finish_sums(rows, hidden_, nullptr, output);
}

/// Leaves what goes into the last product in gate_.
template <typename T>
void PassFeedForward<T>::widen_and_activate(const MlpWeights<T>& mlp, const T* input,
                                            std::int64_t rows) {
    const bool gated = mlp.gate.weight != nullptr;
    if (gated)
        context_.work.multiply(input, rows,
                               std::array<Product<T>, 2>{{{mlp.gate, gate_}, {mlp.up, up_}}});
    else
        context_.linear(mlp.up, input, rows, gate_);
    context_.work.run(
        Activate<T>{{rows, intermediate_}, activation_, gate_, gated ? up_ : nullptr});
}

template <typename T>
void PassFeedForward<T>::run_experts(const LayerWeights<T>& layer, const T* input,
                                     std::int64_t rows) {
    const int experts = static_cast<int>(experts_);
    context_.linear(layer.router, input, rows, router_logits_);
    context_.work.run(ChooseExperts<T>{router_logits_, expert_weights_, rows, experts,
                                       static_cast<int>(chosen_)});
    for (int expert = 0; expert < experts; ++expert) {
        const MlpWeights<T>& mlp = layer.experts[static_cast<std::size_t>(expert)];
        widen_and_activate(mlp, input, rows);
        context_.work.multiply_partial(mlp.down, gate_, rows, expert_output_);
        context_.work.run(AddExpert{{rows, hidden_},
                                    expert_output_,
                                    expert_weights_,
                                    expert,
                                    experts,
                                    context_.own_share(rows * hidden_)});
    }
}

template class PassFeedForward<float>;
template class PassFeedForward<Bf16>;

}  // namespace galapagos::cuda
