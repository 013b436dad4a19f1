// The root of a host at work: its islands, its evaluators, and a share of the evaluations.
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "island/coordinator.hpp"
#include "island/dispatcher.hpp"
#include "island/evaluator.hpp"
#include "island/island.hpp"
#include "island/stopping.hpp"

namespace galapagos {

/// How a run ended.
struct RunOutcome {
    std::optional<std::string> stopped;  ///< the reason, if the run is to be resumed
    nlohmann::json
        winner;  ///< the chosen candidate with its results per stage; null when stopped or none
};

class IslandRoot {
  public:
    /// `islands`: those of layout.islands_here(), in their order.
    IslandRoot(const ProcessLayout& layout, CandidateEvaluator& evaluator,
               std::vector<IslandParts> islands, StopWatch stop_watch, FinalSettings settings,
               CoordinatorCallbacks callbacks);

    /// Runs to the end of the budget, or until told to stop.
    RunOutcome run();

  private:
    void step();
    bool keep_going();
    void pump();
    void accept(CandidateResult result);
    std::optional<Candidate> next_candidate();
    void check_stop();
    void handle(const nlohmann::json& message);
    bool all_done() const;
    Island& island(int number);

    const ProcessLayout& layout_;
    CandidateEvaluator& evaluator_;
    StopWatch stop_watch_;
    RootChannel channel_;
    std::optional<Coordinator> coordinator_;
    Dispatcher dispatcher_;
    std::deque<Island> islands_;  // a deque: an island stays where it is
    std::size_t turn_ = 0;        // the island that is asked for the next candidate
    bool searching_ = true;       // some island here
    bool stop_reported_ = false;
    bool abandoning_own_ = false;
    double longest_candidate_ = 0;
    std::optional<std::string> stopped_;
};

}  // namespace galapagos
