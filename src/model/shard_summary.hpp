#pragma once

#include <cstdint>
#include <span>

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

/// What one vocabulary slice says to a query, as the ranks exchange it.
struct ShardSummary {
    float maximum;   ///< NaN if any logit is NaN
    int32_t argmax;  ///< lowest id that has it
    float sum_exp;   ///< of exp(logit - maximum)
    float target;    ///< -infinity where another rank has it
};

/// Answers from the summaries of all slices: those of the first slice to every query, then of the
/// second, ... Throws Error if a logit is NaN or infinite.
void combine_shards(std::span<const ShardSummary> shards, std::span<const HeadQuery> queries,
                    std::span<HeadAnswer> answers);

}  // namespace galapagos
