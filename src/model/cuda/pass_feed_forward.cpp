#include "model/cuda/pass_feed_forward.hpp"

#include <algorithm>
#include <array>

namespace galapagos::cuda {
namespace {

/// From here on a product's time grows with its rows on most GPUs; below, it is the time to read
/// its weights, which rows in vain don't add to.
constexpr std::int64_t least_sorted_rows = 256;

/// Products over chosen rows have a multiple of so many, so that few of their sizes must be
/// planned.
constexpr std::int64_t row_step = 64;

}  // namespace

template <typename T>
PassFeedForward<T>::PassFeedForward(PassContext<T>& context, const Architecture& architecture,
                                    std::int64_t intermediate, std::int64_t tokens)
    : context_(context),
      activation_(architecture.activation),
      hidden_(architecture.hidden),
      intermediate_(intermediate),
      experts_(architecture.experts),
      chosen_(architecture.experts_per_token),
      tokens_(tokens) {
    PassMemory& memory = context.memory;
    memory.add(gate_, tokens * intermediate);
    memory.add(up_, tokens * intermediate);
    if (experts_ == 0) return;
    memory.add(router_logits_, tokens * experts_);
    memory.add(expert_weights_, tokens * experts_);
    memory.add(expert_output_, tokens * hidden_);
    if (tokens < least_sorted_rows) return;
    memory.add(expert_input_, tokens * hidden_);
    memory.add(chosen_rows_, tokens * chosen_);
}

template <typename T>
void PassFeedForward<T>::run(const LayerWeights<T>& layer, const T* input, const PassPart& part,
                             T* output) {
    if (experts_ == 0) {
        widen_and_activate(layer.mlp, input, part.rows);
        context_.sliced_linear(layer.mlp.down, gate_, part, output);
        return;
    }
    run_experts(layer, input, part);
    context_.finish_sums(part, hidden_, nullptr, output);
}

/// Leaves what goes into the last product in gate_.
template <typename T>
void PassFeedForward<T>::widen_and_activate(const MlpWeights<T>& mlp, const T* input,
                                            std::int64_t rows) {
    const bool gated = mlp.gate.weight != nullptr;
    if (gated)
        context_.multiply(input, rows,
                          std::array<Product<T>, 2>{{{mlp.gate, gate_}, {mlp.up, up_}}});
    else
        context_.linear(mlp.up, input, rows, gate_);
    context_.work.run(
        Activate<T>{{rows, intermediate_}, activation_, gate_, gated ? up_ : nullptr});
}

template <typename T>
void PassFeedForward<T>::run_experts(const LayerWeights<T>& layer, const T* input,
                                     const PassPart& part) {
    const std::int64_t rows = part.rows;
    context_.linear(layer.router, input, rows, router_logits_);
    context_.work.run(ChooseExperts<T>{router_logits_, expert_weights_, rows,
                                       static_cast<int>(experts_), static_cast<int>(chosen_)});
    AddExpert add{{rows, hidden_}};
    add.answers = expert_output_;
    add.weights = expert_weights_;
    add.experts = static_cast<int>(experts_);
    add.sums = context_.sums.own_share(part, hidden_);
    context_.work.run(ClearSums{{rows, hidden_}, add.sums});
    const bool sorted = context_.may_wait && rows >= least_sorted_rows;
    if (sorted) sort_rows(rows);
    for (; add.expert < add.experts; ++add.expert) {
        const MlpWeights<T>& mlp = layer.experts[static_cast<std::size_t>(add.expert)];
        if (sorted)
            answer_chosen_rows(mlp, input, add);
        else
            answer(mlp, input, rows);
        context_.work.run(add);
    }
}

/// Waits for the router's choice.
template <typename T>
void PassFeedForward<T>::sort_rows(std::int64_t rows) {
    weights_.resize(static_cast<std::size_t>(rows * experts_));
    context_.work.copy_out(expert_weights_, weights_.size() * sizeof(float), weights_.data());
    rows_of_experts_.sort(weights_, experts_);
    const auto chosen = rows_of_experts_.all();
    context_.work.copy_in(chosen.data(), chosen.size_bytes(), chosen_rows_);
}

/// Leaves in the sum's job whose answers they are.
template <typename T>
void PassFeedForward<T>::answer_chosen_rows(const MlpWeights<T>& mlp, const T* input,
                                            AddExpert& add) {
    add.rows = rows_of_experts_.count(add.expert);
    add.places = chosen_rows_ + rows_of_experts_.first(add.expert);
    if (add.rows == 0) return;
    context_.work.run(GatherRows<T>{{add.rows, hidden_}, input, add.places, expert_input_});
    // Rows beyond the last are whatever lies there, and nobody reads what becomes of them.
    const std::int64_t planned = (add.rows + row_step - 1) / row_step * row_step;
    answer(mlp, expert_input_, std::min(planned, tokens_));
}

/// An expert's answers to some rows.
template <typename T>
void PassFeedForward<T>::answer(const MlpWeights<T>& mlp, const T* input, std::int64_t rows) {
    widen_and_activate(mlp, input, rows);
    context_.work.multiply_partial(mlp.down, gate_, rows, expert_output_);
}

template class PassFeedForward<float>;
template class PassFeedForward<Bf16>;

}  // namespace galapagos::cuda
