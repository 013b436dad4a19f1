// Whole runs under MPI with an evaluator that only counts: processes, dispatch, migration, history
// and resume.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <random>

#include "base/error.hpp"
#include "history/history_reader.hpp"
#include "history/run_layout.hpp"
#include "island/run_support.hpp"
#include "island/topology.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

/// Scores by formula, after a time that differs from candidate to candidate and run to run.
class FormulaEvaluator : public CandidateEvaluator {
  public:
    explicit FormulaEvaluator(unsigned seed) : random_(seed) {}
    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override {
        for (int batch = 0; batch < 3; ++batch) {
            ::usleep(random_() % 500);
            if (hooks.keep_going && !hooks.keep_going()) return std::nullopt;
        }
        auto result = testing::score(candidate);
        result.stage = candidate.stage;
        result.evaluation_seconds = 0.001;
        return result;
    }

  private:
    std::mt19937 random_;
};

/// Stops the run once, after some batches.
class StoppingEvaluator : public FormulaEvaluator {
  public:
    StoppingEvaluator(unsigned seed, std::filesystem::path stop_file, int batches)
        : FormulaEvaluator(seed), stop_file_(std::move(stop_file)), batches_(batches) {}
    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override {
        if (--batches_ == 0) std::fclose(std::fopen(stop_file_.c_str(), "w"));
        return FormulaEvaluator::evaluate(candidate, hooks);
    }

  private:
    std::filesystem::path stop_file_;
    int batches_;
};

/// Counts the candidates that came as they were foretold, and the others: what was foretold before
/// the orders were abandoned never comes.
class ForetoldEvaluator : public FormulaEvaluator {
  public:
    using FormulaEvaluator::FormulaEvaluator;
    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override {
        if (foretold_ && foretold_->id == candidate.id && foretold_->stage == candidate.stage &&
            foretold_->genome == candidate.genome)
            ++kept;
        else if (foretold_)
            ++broken;
        foretold_.reset();
        if (!hooks.next) return FormulaEvaluator::evaluate(candidate, hooks);
        const auto look = [&] {
            if (!foretold_) foretold_ = hooks.next();
            return hooks.keep_going();
        };
        // Two were ordered at the start.
        for (; first_ && !foretold_ && look(); ::usleep(100)) continue;
        first_ = false;
        return FormulaEvaluator::evaluate(candidate, {look, {}});
    }

    int kept = 0, broken = 0;

  private:
    bool first_ = true;
    std::optional<Candidate> foretold_;
};

constexpr int generations = 6;

/// One attempt in `root`; collective. Islands resume from their checkpoints.
RunOutcome attempt(const ProcessLayout& layout, const std::filesystem::path& root, int part,
                   CandidateEvaluator& evaluator) {
    const RunLayout run{root};
    if (layout.world.is_root())
        for (const auto& folder : {run.islands(), run.checkpoints()})
            std::filesystem::create_directories(folder);
    layout.world.barrier();
    RunOutcome outcome;
    if (!layout.is_island_root()) {
        serve_island_root(layout, evaluator);
    } else {
        auto islands = testing::make_islands(
            layout, run, part,
            [&](int island) {
                return testing::search_settings(island, layout.islands, generations);
            },
            [](int island) { return testing::make_ga(5, island); });
        layout.roots.barrier();
        IslandRoot root_of_islands(layout, evaluator, std::move(islands),
                                   StopWatch(run.stop(), std::nullopt), {2, true, true}, {});
        outcome = root_of_islands.run();
    }
    layout.world.barrier();
    return outcome;
}

class IslandRun : public ::testing::Test {
  protected:
    IslandRun() : world(Communicator::world()) {
        if (world.is_root()) folder.emplace();
        base = world.broadcast(folder ? folder->path().string() : std::string());
    }
    ~IslandRun() override { world.barrier(); }

    std::vector<std::string> fingerprints(const std::filesystem::path& root, int islands) {
        std::vector<std::string> prints;
        const auto run = read_run(root);
        EXPECT_EQ(static_cast<int>(run.islands.size()), islands);
        for (const auto& island : run.islands) {
            EXPECT_EQ(island.generations.size(), static_cast<std::size_t>(generations));
            prints.push_back(fingerprint(island));
        }
        return prints;
    }

    Communicator world;
    std::optional<testing::TemporaryFolder> folder;
    std::filesystem::path base;
};

TEST_F(IslandRun, TheHistoryIsTheSameWithAnyNumberOfEvaluators) {
    const auto serial = ProcessLayout{.world = {}, .members = {}, .group = {}, .roots = {}};
    std::string expected;
    if (world.is_root()) {
        FormulaEvaluator evaluator(1);
        attempt(serial, base / "serial", 1, evaluator);
        expected = fingerprints(base / "serial", 1).at(0);
    }
    world.barrier();
    const auto layout = make_process_layout(world, 1, 1);
    FormulaEvaluator evaluator(static_cast<unsigned>(world.rank()) + 10);
    const auto outcome = attempt(layout, base / "parallel", 1, evaluator);
    if (world.is_root()) {
        EXPECT_EQ(fingerprints(base / "parallel", 1).at(0), expected);
        EXPECT_FALSE(outcome.winner.is_null());
    }
}

/// Of evaluators of one rank or two, beside others or alone.
TEST_F(IslandRun, TheNextCandidateIsKnownBeforeItComes) {
    const auto layout = make_process_layout(world, 1, world.size() >= 4 ? 2 : 1);
    ForetoldEvaluator evaluator(static_cast<unsigned>(world.rank()) + 10);
    attempt(layout, base / "run", 1, evaluator);
    // Orders are abandoned once, when the search ends.
    EXPECT_LE(evaluator.broken, 1);
    EXPECT_EQ(evaluator.kept > 0, layout.is_evaluator_root());
}

TEST_F(IslandRun, IslandsExchangeAndAgreeOnAWinner) {
    const int islands = world.size() >= 2 ? 2 : 1;
    const auto layout = make_process_layout(world, islands, world.size() >= 4 ? 2 : 1);
    FormulaEvaluator evaluator(static_cast<unsigned>(world.rank()));
    const auto outcome = attempt(layout, base / "run", 1, evaluator);
    if (!world.is_root()) return;
    EXPECT_FALSE(outcome.stopped);
    ASSERT_FALSE(outcome.winner.is_null());
    const auto run = read_run(base / "run");
    double best = -1e300;
    for (const auto& island : run.islands) {
        for (const auto& candidate : island.candidates) best = std::max(best, candidate.fitness);
        EXPECT_EQ(island.migrations.empty(), islands == 1);
    }
    EXPECT_EQ(outcome.winner.at("test").at("fitness").get<double>(), best);
}

TEST_F(IslandRun, StoppedAndResumedItEqualsTheUndisturbedRun) {
    const int islands = world.size() >= 2 ? 2 : 1;
    const auto layout = make_process_layout(world, islands, 1);
    FormulaEvaluator undisturbed(static_cast<unsigned>(world.rank()));
    attempt(layout, base / "undisturbed", 1, undisturbed);
    const auto stop_file = RunLayout{base / "stopped"}.stop();
    int part = 1;
    for (; part <= 4; ++part) {
        std::filesystem::create_directories(base / "stopped");
        StoppingEvaluator evaluator(static_cast<unsigned>(part * 10 + world.rank()), stop_file, 5);
        const auto outcome = attempt(layout, base / "stopped", part, evaluator);
        if (world.is_root()) std::filesystem::remove(stop_file);
        const bool stopped = world.broadcast_value(outcome.stopped.has_value());
        if (!stopped) break;
    }
    FormulaEvaluator last(static_cast<unsigned>(world.rank() + 77));
    attempt(layout, base / "stopped", part + 1, last);
    if (!world.is_root()) return;
    EXPECT_EQ(fingerprints(base / "stopped", islands), fingerprints(base / "undisturbed", islands));
}

TEST_F(IslandRun, FewerHostsCarryAllIslandsWithTheSameHistory) {
    constexpr int islands = 4;
    FormulaEvaluator evaluator(static_cast<unsigned>(world.rank()));
    const auto layout = make_process_layout(world, islands, 1);
    EXPECT_EQ(layout.hosts, std::min(world.size(), islands));
    attempt(layout, base / "all", 1, evaluator);
    // The same on the first rank alone, as one host of four islands.
    const auto alone = world.split(world.is_root() ? 0 : 1, world.rank());
    if (world.is_root()) {
        const auto one = make_process_layout(alone, islands, 1);
        EXPECT_EQ(one.islands_here(), (std::vector<int>{0, 1, 2, 3}));
        EXPECT_FALSE(attempt(one, base / "one", 1, evaluator).winner.is_null());
        EXPECT_EQ(fingerprints(base / "one", islands), fingerprints(base / "all", islands));
    }
}

TEST_F(IslandRun, LostHostsIslandsAreAdopted) {
    constexpr int islands = 4;
    FormulaEvaluator undisturbed(static_cast<unsigned>(world.rank()));
    attempt(make_process_layout(world, islands, 1), base / "undisturbed", 1, undisturbed);
    const auto root = base / "lost";
    std::filesystem::create_directories(root);
    StoppingEvaluator stops(static_cast<unsigned>(world.rank() + 5), RunLayout{root}.stop(), 9);
    attempt(make_process_layout(world, islands, 1), root, 1, stops);
    if (world.is_root()) std::filesystem::remove(RunLayout{root}.stop());
    const auto half = world.split(world.rank() * 2 < world.size() ? 0 : 1, world.rank());
    if (world.rank() * 2 < world.size()) {
        FormulaEvaluator evaluator(static_cast<unsigned>(world.rank() + 50));
        attempt(make_process_layout(half, islands, 1), root, 2, evaluator);
    }
    world.barrier();
    if (world.is_root()) {
        EXPECT_EQ(fingerprints(root, islands), fingerprints(base / "undisturbed", islands));
    }
}

TEST_F(IslandRun, AnImpossibleLayoutIsRefused) {
    EXPECT_THROW(make_process_layout(world, 1, world.size() + 1), UsageError);
}

}  // namespace
}  // namespace galapagos
