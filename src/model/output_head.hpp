#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/buffer.hpp"
#include "model/linear.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// A question to the output head about the token after hidden state `row`.
struct HeadQuery {
    int64_t row = 0;
    int32_t target = -1;  ///< id whose probability is wanted, or -1
};

struct HeadAnswer {
    int32_t argmax = 0;          ///< most probable id, the lowest of equals
    double log_probability = 0;  ///< of the target; NaN without one
};

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
    struct Shard {
        float maximum;
        int32_t argmax;
        float sum_exp;
        float target;
    };
    /// Leaves the logits of `rows` hidden states in logits_.
    void multiply_rows(const T* hidden, int64_t rows);
    void summarise(std::span<const HeadQuery> queries, int64_t first_row, Shard* shards);

    Linear<T> weights_;
    Range vocabulary_;
    float softcap_;
    TensorGroup& group_;
    Buffer<T> logits_;
    std::vector<Shard> mine_;
    std::vector<Shard> all_;
};

}  // namespace galapagos
