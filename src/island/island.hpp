// One island at work on its host: search, history, checkpoints, migration, and its part in choosing
// the winner. It evaluates nothing itself.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "history/checkpoint.hpp"
#include "history/history_writer.hpp"
#include "island/island_search.hpp"
#include "island/root_channel.hpp"

namespace galapagos {

/// What an island is made of.
struct IslandParts {
    IslandSearch search;
    HistoryWriter history;
    CheckpointStore checkpoints;
    std::function<void(const std::string&)> log;
};

struct FinalSettings {
    int finalists = 4;
    bool validate = true;  ///< some task has validation items; else the train fitness decides
    bool test = true;      ///< some task has test items
};

/// Every committed generation is in the history and in a checkpoint before anything that depends on
/// it leaves the island.
class Island {
  public:
    Island(IslandParts parts, FinalSettings settings, RootChannel& channel);

    int number() const { return search_.settings().island; }
    bool searching() const { return phase_ == Phase::search; }
    bool done() const { return phase_ == Phase::done; }

    /// Notes the start. A neighbour may have lost what it had received: sends it again.
    void begin(const std::string& how);
    /// The next candidate to evaluate, if there is one now.
    std::optional<Candidate> next_candidate();
    void accept(CandidateResult result);
    void put_packet(MigrantPacket packet) { search_.put_packet(std::move(packet)); }
    /// Commits the generations that are complete; ends the search when its budget is used up.
    void advance();
    /// A message of the coordinator.
    void handle(const nlohmann::json& message);
    /// Nothing more is to be evaluated: the run is to be resumed later.
    void drop_finalists() { final_queue_.clear(); }
    /// Saves the results of the generation under way, for a later attempt.
    void interrupt(const std::string& reason);
    void close() { history_.close(); }
    void note(const std::string& code, const std::string& text);
    /// The chosen candidate with its results per stage, once done; null when there is none.
    const nlohmann::json& winner() const { return winner_; }

  private:
    enum class Phase { search, waiting, validation, deciding, testing, done };

    void commit(FinishedGeneration& generation);
    void send(const MigrantPacket& packet);
    void save_checkpoint();
    void report(const GenerationRecord& record);
    void report_best();
    void finish_search();
    void begin_validation();
    void report_finalists();

    IslandSearch search_;
    HistoryWriter history_;
    CheckpointStore checkpoints_;
    std::function<void(const std::string&)> log_;
    FinalSettings settings_;
    RootChannel& channel_;

    Phase phase_ = Phase::search;
    Stopwatch since_start_;
    double busy_seconds_ = 0;
    std::uint64_t evaluated_ = 0;
    double reported_best_;
    std::vector<IslandSearch::Ranked> finalists_;
    std::map<std::uint64_t, CandidateResult> validated_;
    std::deque<Candidate> final_queue_;
    nlohmann::json winner_;
};

}  // namespace galapagos
