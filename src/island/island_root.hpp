// The root of an island at work: search, history, checkpoints, migration, and a share of the
// evaluations.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "history/checkpoint.hpp"
#include "history/history_writer.hpp"
#include "island/coordinator.hpp"
#include "island/dispatcher.hpp"
#include "island/evaluator.hpp"
#include "island/island_search.hpp"
#include "island/stopping.hpp"

namespace galapagos {

struct IslandRootSettings {
    BudgetSettings budget;
    int finalists = 4;
    std::vector<int> targets;
    bool validate = true;  ///< some task has validation items; else the train fitness decides
    bool test = true;      ///< some task has test items
};

/// How a run ended.
struct RunOutcome {
    std::optional<std::string> stopped;  ///< the reason, if the run is to be resumed
    nlohmann::json
        winner;  ///< the chosen candidate with its results per stage; null when stopped or none
};

class IslandRoot {
  public:
    IslandRoot(const ProcessLayout& layout, CandidateEvaluator& evaluator, IslandSearch search,
               HistoryWriter history, CheckpointStore checkpoints, StopWatch stop_watch,
               IslandRootSettings settings, CoordinatorCallbacks callbacks,
               std::function<void(const std::string&)> log);

    /// Runs to the end of the budget, or until told to stop. Every committed generation is in the
    /// history and in a checkpoint before anything that depends on it leaves the island.
    RunOutcome run();

  private:
    enum class Phase { search, waiting, validation, deciding, testing, done };

    void step();
    bool keep_going();
    void pump();
    void accept(CandidateResult result);
    void commit(FinishedGeneration& generation);
    void save_checkpoint();
    void report(const GenerationRecord& record);
    void report_best();
    void check_stop();
    void finish_search();
    void handle(const nlohmann::json& message);
    void begin_validation();
    void report_finalists();
    std::optional<Candidate> next_candidate();
    void note(const std::string& code, const std::string& text);

    const ProcessLayout& layout_;
    CandidateEvaluator& evaluator_;
    IslandSearch search_;
    HistoryWriter history_;
    CheckpointStore checkpoints_;
    StopWatch stop_watch_;
    IslandRootSettings settings_;
    std::function<void(const std::string&)> log_;
    RootChannel channel_;
    std::optional<Coordinator> coordinator_;
    Dispatcher dispatcher_;

    Phase phase_ = Phase::search;
    bool stopping_ = false;
    bool stop_reported_ = false;
    bool abandoning_own_ = false;
    RunOutcome outcome_;
    Stopwatch since_start_;
    double busy_seconds_ = 0;
    double longest_candidate_ = 0;
    std::uint64_t evaluated_ = 0;
    double reported_best_;
    std::vector<IslandSearch::Ranked> finalists_;
    std::map<std::uint64_t, CandidateResult> validated_;
    std::deque<Candidate> final_queue_;
};

}  // namespace galapagos
