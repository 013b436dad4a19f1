// The search of one island, without processes or files: asks, tells, migration and budgets in their
// exact order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "evolve/optimizer.hpp"
#include "history/records.hpp"
#include "island/candidate.hpp"
#include "island/migration.hpp"
#include "island/settings.hpp"

namespace galapagos {

struct IslandSearchSettings {
    int island = 0;
    int islands = 1;
    std::uint64_t seed = 0;
    std::size_t tasks = 1;
    Mode mode = Mode::deterministic;
    int window = -1;
    MigrationSettings migration;
    BudgetSettings budget;
    std::vector<int> targets;  ///< islands that receive this one's migrants
    std::vector<int> sources;  ///< islands whose migrants it receives
    /// Per island, the number of its first generation: 0, or what the others had finished when it
    /// joined the run. Missing ones are 0.
    std::vector<std::uint64_t> first_generations;
};

/// Everything of one finished generation.
struct FinishedGeneration {
    GenerationRecord record;
    std::vector<CandidateRecord> candidates;
    std::vector<MigrationRecord> migrations;
    std::optional<MigrantPacket> outgoing;  ///< to send to every target
};

/// Decides what happens next on an island.
///
/// In deterministic mode, candidate k of the island is drawn after exactly floor(max(0, k - window)
/// / population) generations have been told, results are told in ask order, and migrants sent after
/// generation g are taken in after generation g + lag. So the sequence of asks, tells and
/// injections, and with it the history, depends on the config and seed alone.
class IslandSearch {
  public:
    IslandSearch(IslandSearchSettings settings, std::unique_ptr<Optimizer> optimizer);

    /// Gives an island that joins a run the elites of the others to begin with.
    void seed(const std::vector<Evaluated>& elites) { optimizer_->inject(elites); }

    /// The next candidate to evaluate, if one may be drawn now. A genome seen before needs no
    /// evaluation and is not returned.
    std::optional<Candidate> next();
    /// A result of a candidate that next() returned. Results of unknown candidates (from before a
    /// restart) are ignored.
    void put_result(CandidateResult result);
    void put_packet(MigrantPacket packet) { mailbox_.receive(std::move(packet)); }

    /// Ends the generation if all it needs is here: tells, injects, and reports what to log and
    /// send.
    std::optional<FinishedGeneration> finish_generation(double now);

    bool finished() const { return finished_; }
    bool target_reached() const { return target_reached_; }
    /// Ends after the last finished generation (a limit of wall time).
    MigrantPacket end_now();

    const IslandSearchSettings& settings() const { return settings_; }
    std::uint64_t first_generation() const { return first_; }
    std::uint64_t generation() const { return told_; }
    std::uint64_t evaluations() const { return (told_ - first_) * population(); }
    std::size_t population() const { return optimizer_->population_size(); }
    /// Asked for but without result.
    std::size_t outstanding() const;
    const Optimizer& optimizer() const { return *optimizer_; }
    /// Packets that a neighbour may still need after a restart.
    const std::deque<MigrantPacket>& sent_packets() const { return sent_; }

    /// Best evaluated candidates with distinct genomes, best first; ties go to the lower id.
    struct Ranked {
        std::uint64_t id;
        double fitness;
        Genome genome;
    };
    std::vector<Ranked> best(std::size_t count) const;
    /// The task scores of an evaluated candidate.
    const std::vector<double>& scores(std::uint64_t id) const { return known_.at(id).scores; }

    nlohmann::json save() const;
    /// Restores a saved state. `told` are the candidates of the history up to that generation: the
    /// memory of genomes seen.
    void load(const nlohmann::json& state, const std::vector<CandidateRecord>& told);

  private:
    struct Pending {
        Candidate candidate;
        std::optional<std::uint64_t> same_as;  ///< an earlier candidate with this genome
        std::optional<CandidateResult> result;
        bool given_out = false;  ///< evaluated by somebody now; not kept over a restart
    };
    std::uint64_t ask_limit() const;
    std::uint64_t tell_needs() const;
    void draw();
    void draw_due();
    void settle_duplicates();
    bool generation_ready() const;
    CandidateRecord record_of(const Pending& pending) const;
    void summarise(FinishedGeneration& generation) const;
    void migrate(FinishedGeneration& generation, double now);
    void check_budget(FinishedGeneration& generation);
    void remember(std::uint64_t id, const Genome& genome, const std::vector<double>& scores,
                  double fitness, CandidateStatus status);

    IslandSearchSettings settings_;
    std::unique_ptr<Optimizer> optimizer_;
    Mailbox mailbox_;
    std::uint64_t window_;
    std::uint64_t first_;  // generation
    std::uint64_t asked_;
    std::uint64_t told_;  // generations
    bool finished_ = false;
    bool target_reached_ = false;
    bool neighbour_reached_target_ = false;
    double started_ = 0;           // of the generation under way
    std::deque<Pending> pending_;  // in ask order, from the oldest not told
    std::deque<MigrantPacket> sent_;

    struct Known {
        std::uint64_t id;
        std::vector<double> scores;
        double fitness;
        bool failed;
    };
    std::map<Genome, std::uint64_t> first_with_genome_;
    std::map<std::uint64_t, Known> known_;  // told candidates that were evaluated
    double best_fitness_;
    std::uint64_t best_id_ = no_candidate;
};

}  // namespace galapagos
