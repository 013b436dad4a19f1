// Hands candidates to the evaluators of an island and collects their answers.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "island/evaluator.hpp"

namespace galapagos {

/// On the island root. Every evaluator, the root's own included, is kept two candidates deep: one
/// it works on and one it finds when it is done, so that none waits for the root.
class Dispatcher {
  public:
    explicit Dispatcher(const ProcessLayout& layout);

    /// Fetches answers; returns the results that came.
    std::vector<CandidateResult> collect();
    /// Gives out candidates from `next` while evaluators have room; emptier ones first.
    void hand_out(const std::function<std::optional<Candidate>()>& next);
    /// The next candidate of the root's own evaluator.
    std::optional<Candidate> take_own();
    /// What take_own would give now.
    std::optional<Candidate> next_own() const;
    /// The root's own evaluator is done with the candidate that it took.
    void own_done() { --load_[own_]; }

    /// Tells all evaluators to drop their work; answers keep coming until idle().
    void abandon();
    bool idle() const;
    /// Tells the other evaluators to quit.
    void quit();

  private:
    const ProcessLayout& layout_;
    std::size_t own_;
    std::vector<int> load_;  // candidates given out and not answered, per evaluator
    std::deque<Candidate> own_queue_;
};

}  // namespace galapagos
