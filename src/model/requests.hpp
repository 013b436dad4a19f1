#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace galapagos {

/// One prompt to continue greedily until a stop id, `max_new_tokens`, or the caller ends it.
struct GenerationRequest {
    std::vector<int32_t> prompt;  ///< at least one id
    int max_new_tokens = 0;
    std::vector<int32_t> stop_ids;  ///< ids that end the row, e.g. end-of-text
};

/// The ranks of a tensor-parallel group follow rank 0's answers. An exception from a hook there
/// ends the call on every rank.
struct GenerationHooks {
    /// On rank 0, after each new token: `row` is the request's index, `new_ids` all ids generated
    /// for it so far. Return true to end the row, e.g. once its text contains a stop string.
    std::function<bool(size_t row, const std::vector<int32_t>& new_ids)> finished;
    /// Before each forward pass; false stops generating, and rows not yet done stay unfinished.
    /// Called on every rank that has it, so that it may be collective.
    std::function<bool()> keep_going;
};

struct Generation {
    std::vector<int32_t> ids;  ///< new ids only, without the stop id that ended the row
    bool finished = false;  ///< ended by a stop id or hook (false: token limit, or stopped early)
};

/// A continuation whose probability after `context` is asked for. Neighbouring requests with equal
/// contexts share its forward pass.
struct ScoreRequest {
    std::vector<int32_t> context;  ///< at least one id
    std::vector<int32_t> continuation;
};

struct Score {
    double log_likelihood = 0;  ///< sum of natural log probabilities of the continuation's ids
    bool greedy = true;         ///< every id of the continuation was the most probable one
};

}  // namespace galapagos
