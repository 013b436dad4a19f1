#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/buffer.hpp"
#include "model/linear.hpp"
#include "model/shard_summary.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// The vocabulary-parallel output layer: every rank computes its slice of the logits and sends 16
/// bytes a query, never logits.
template <typename T>
class OutputHead {
  public:
    /// `softcap`: logits become cap * tanh(logit / cap); 0: they don't.
    OutputHead(const Linear<T>& weights, Range vocabulary, double softcap, TensorGroup& group);

    /// `hidden`: [rows, in] after the final norm. Queries are sorted by row. Same answers on every
    /// rank. Throws Error on every rank if a logit is NaN or infinite.
    void answer(const T* hidden, std::span<const HeadQuery> queries, std::span<HeadAnswer> answers);

    /// Logits [rows, vocabulary size over all ranks] in fp32, on every rank.
    void logits(const T* hidden, int64_t rows, int64_t vocabulary, float* output);

  private:
    /// Leaves the logits of `rows` hidden states in logits_.
    void multiply_rows(const T* hidden, int64_t rows);
    void summarise(std::span<const HeadQuery> queries, int64_t first_row, ShardSummary* shards);

    Linear<T> weights_;
    Range vocabulary_;
    float softcap_;
    TensorGroup& group_;
    Buffer<T> logits_;
    std::vector<ShardSummary> mine_;
    std::vector<ShardSummary> all_;
};

}  // namespace galapagos
