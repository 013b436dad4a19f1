#include "model/feed_forward.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/for_each_row.hpp"

namespace galapagos {

template <typename T>
FeedForward<T>::FeedForward(const Architecture& architecture, int64_t intermediate, int64_t tokens,
                            RankSum<T>& sum)
    : activation_(architecture.activation),
      hidden_(architecture.hidden),
      intermediate_(intermediate),
      experts_(architecture.experts),
      experts_per_token_(architecture.experts_per_token),
      sum_(sum),
      gate_(tokens * intermediate),
      up_(tokens * intermediate) {
    if (experts_ == 0) return;
    router_logits_ = Buffer<T>(tokens * experts_);
    expert_input_ = Buffer<T>(tokens * hidden_);
    expert_output_ = Buffer<float>(tokens * hidden_);
    assignments_.resize(static_cast<size_t>(experts_));
}

template <typename T>
void FeedForward<T>::run(const LayerWeights<T>& layer, const T* input, int64_t rows, T* output) {
    if (experts_ == 0) {
        widen_and_activate(layer.mlp, input, rows);
        sum_.linear(layer.mlp.down, gate_.data(), rows, output);
        return;
    }
    choose_experts(layer.router, input, rows);
    std::fill_n(sum_.partial(), rows * hidden_, 0.0F);
    for (size_t expert = 0; expert < layer.experts.size(); ++expert)
        run_expert(layer.experts[expert], assignments_[expert], input);
    sum_.finish(rows, hidden_, nullptr, output);
}

/// Leaves what goes into the last product in gate_.
template <typename T>
void FeedForward<T>::widen_and_activate(const MlpWeights<T>& mlp, const T* input, int64_t rows) {
    const bool gated = mlp.gate.weight != nullptr;
    if (gated)
        multiply<T>(input, rows,
                    std::array<Product<T>, 2>{{{mlp.gate, gate_.data()}, {mlp.up, up_.data()}}});
    else
        linear(mlp.up, input, rows, gate_.data());
    for_each_row(rows, intermediate_, [&](int64_t row) {
        row_kernels<T>().activate(activation_, gate_.data() + row * intermediate_,
                                  gated ? up_.data() + row * intermediate_ : nullptr,
                                  intermediate_);
    });
}

/// Softmax over all experts in fp32, the most probable ones kept, their weights made to sum to 1.
/// Among equals the lower number wins.
template <typename T>
void FeedForward<T>::choose_experts(const Linear<T>& router, const T* input, int64_t rows) {
    linear(router, input, rows, router_logits_.data());
    for (auto& assigned : assignments_) assigned.clear();
    const auto count = static_cast<size_t>(experts_);
    const auto chosen = static_cast<size_t>(experts_per_token_);
    std::vector<float> weights(count);
    std::vector<size_t> order(count);
    for (int64_t row = 0; row < rows; ++row) {
        row_kernels<T>().widen(router_logits_.data() + row * experts_, weights.data(), experts_);
        const float maximum = *std::max_element(weights.begin(), weights.end());
        for (float& weight : weights) weight = std::exp(weight - maximum);
        std::iota(order.begin(), order.end(), size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return weights[a] > weights[b]; });
        float total = 0;
        for (size_t i = 0; i < chosen; ++i) total += weights[order[i]];
        for (size_t i = 0; i < chosen; ++i)
            assignments_[order[i]].push_back({row, weights[order[i]] / total});
    }
}

/// Adds an expert's weighted answers to this rank's share of the sum.
template <typename T>
void FeedForward<T>::run_expert(const MlpWeights<T>& expert, std::span<const Assignment> assigned,
                                const T* input) {
    const auto rows = static_cast<int64_t>(assigned.size());
    if (rows == 0) return;
    for (int64_t i = 0; i < rows; ++i)
        std::memcpy(expert_input_.data() + i * hidden_,
                    input + assigned[static_cast<size_t>(i)].row * hidden_,
                    static_cast<size_t>(hidden_) * sizeof(T));
    widen_and_activate(expert, expert_input_.data(), rows);
    linear_partial(expert.down, gate_.data(), rows, expert_output_.data());
    for (int64_t i = 0; i < rows; ++i) {
        const Assignment& assignment = assigned[static_cast<size_t>(i)];
        row_kernels<T>().add_scaled(expert_output_.data() + i * hidden_, assignment.weight,
                                    sum_.partial() + assignment.row * hidden_, hidden_);
    }
}

template class FeedForward<float>;
template class FeedForward<Bf16>;

}  // namespace galapagos
