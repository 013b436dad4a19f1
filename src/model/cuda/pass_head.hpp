#pragma once

#include <span>
#include <vector>

#include "model/cuda/pass_context.hpp"
#include "model/output_head.hpp"

namespace galapagos::cuda {

/// The vocabulary-parallel output layer on the device: logits stay there, 16 bytes a query come
/// back.
template <typename T>
class PassHead {
  public:
    /// `softcap`: logits become cap * tanh(logit / cap); 0: they don't. `tokens`: the most queries
    /// that are answered at once.
    PassHead(PassContext<T>& context, const Linear<T>& weights, Range vocabulary, double softcap,
             std::int64_t tokens);

    /// As OutputHead's, with hidden states on the device.
    void answer(const T* hidden, std::span<const HeadQuery> queries, std::span<HeadAnswer> answers);
    void logits(const T* hidden, std::int64_t rows, std::int64_t vocabulary, float* output);

  private:
    void summarise(const T* hidden, std::span<const HeadQuery> queries);

    PassContext<T>& context_;
    Linear<T> weights_;
    Range vocabulary_;
    float softcap_;
    std::int64_t most_queries_, block_rows_;
    T* logits_ = nullptr;  ///< [block_rows, vocabulary slice]
    float* wide_ = nullptr;
    LogitQuery* queries_ = nullptr;
    ShardSummary* summaries_ = nullptr;
    std::vector<LogitQuery> asked_;
    std::vector<ShardSummary> mine_, all_;
};

}  // namespace galapagos::cuda
