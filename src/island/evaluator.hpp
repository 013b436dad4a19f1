// Evaluators: tensor-parallel groups that evaluate one candidate after the other.
#pragma once

#include <functional>
#include <optional>

#include "island/candidate.hpp"
#include "island/process_layout.hpp"

namespace galapagos {

/// What an evaluation asks whoever ordered it, on the group's root, between short batches.
struct EvaluationHooks {
    /// False: the candidate is to be dropped.
    std::function<bool()> keep_going;
    /// The candidate that comes after this one, as soon as that is known; an abandoned one never
    /// comes.
    std::function<std::optional<Candidate>()> next;
};

/// Evaluates a candidate on all ranks of a group. Implementations merge a model and run tasks;
/// tests and benches may do anything that takes time.
class CandidateEvaluator {
  public:
    virtual ~CandidateEvaluator() = default;
    /// Called on every rank of the group with the same candidate; only its root has hooks. Once
    /// `keep_going` answers false, every rank returns nothing. What goes wrong with this candidate
    /// alone is a failed result; what makes further evaluations useless is an exception.
    virtual std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                                    const EvaluationHooks& hooks) = 0;
};

/// Message tags within an island.
enum IslandTag : int { tag_order = 1, tag_answer = 2 };

/// What the island root tells an evaluator: evaluate a candidate (the bytes), or one of these.
inline constexpr const char* order_abandon =
    "abandon";  ///< drop what you are doing and what is queued
inline constexpr const char* order_quit = "quit";

/// The answer to an order that was abandoned.
inline constexpr const char* answer_abandoned = "abandoned";

/// Serves the island root until it says quit: the life of every rank that is not an island root.
/// Every candidate is answered exactly once.
void serve_island_root(const ProcessLayout& layout, CandidateEvaluator& evaluator);

/// On the island root: lets the ranks of its own group take part in one evaluation, and runs it.
std::optional<CandidateResult> evaluate_with_group(const ProcessLayout& layout,
                                                   CandidateEvaluator& evaluator,
                                                   const Candidate& candidate,
                                                   const EvaluationHooks& hooks);

/// On the island root: ends the other ranks of its own group.
void dismiss_group(const ProcessLayout& layout);

}  // namespace galapagos
