// A real run of two islands with two evaluators each, whose evaluations only sleep, against its
// simulation with the times that the run itself recorded.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <map>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "forecast/simulation.hpp"
#include "history/history_reader.hpp"
#include "island/run_support.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

constexpr int generations = 8;
constexpr int population = 6;

/// Sleeps for log-normal times around 40 ms, in slices between which the root looks at messages.
class SleepingEvaluator : public CandidateEvaluator {
  public:
    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override {
        RandomStream random(1, 0, Purpose::test, candidate.id);
        const double seconds = 0.04 * std::exp(0.5 * random.normal() - 0.125);
        const Stopwatch watch;
        while (watch.seconds() < seconds) {
            ::usleep(2000);
            if (hooks.keep_going && !hooks.keep_going()) return std::nullopt;
        }
        auto result = testing::score(candidate);
        result.stage = candidate.stage;
        result.evaluation_seconds = watch.seconds();
        return result;
    }
};

IslandSearchSettings search_settings(int island, int islands) {
    return testing::search_settings(island, islands, generations);
}

void run(const ProcessLayout& layout, const RunLayout& files) {
    SleepingEvaluator evaluator;
    if (!layout.is_island_root()) {
        serve_island_root(layout, evaluator);
    } else {
        auto islands = testing::make_islands(
            layout, files, 1, [&](int island) { return search_settings(island, layout.islands); },
            [](int island) { return testing::make_ga(5, island, population); });
        layout.roots.barrier();
        IslandRoot root(layout, evaluator, std::move(islands),
                        StopWatch(files.stop(), std::nullopt), {1, false, false}, {});
        root.run();
    }
    layout.world.barrier();
}

SimulationSettings simulation_of(const RunHistory& history, int window) {
    SimulationSettings settings;
    settings.islands = static_cast<int>(history.islands.size());
    settings.evaluators = 2;
    settings.population = population;
    settings.generations = generations;
    settings.window = window;
    settings.migration = search_settings(0, settings.islands).migration;
    settings.start_seconds = 0;
    std::map<std::uint64_t, double> seconds;
    for (const auto& island : history.islands)
        for (const auto& candidate : island.candidates)
            seconds[candidate.id] = candidate.evaluation_seconds;
    settings.known_seconds = [seconds](int island, std::uint64_t k) {
        const auto found = seconds.find(candidate_id(static_cast<std::uint32_t>(island), k));
        return found == seconds.end() ? 0.0 : found->second;
    };
    return settings;
}

TEST(MeasuredRun, ItsWallTimeIsPredictedFromItsOwnCandidates) {
    const auto world = Communicator::world();
    ASSERT_EQ(world.size(), 4);
    std::optional<testing::TemporaryFolder> folder;
    if (world.is_root()) folder.emplace();
    const RunLayout files{world.broadcast(folder ? folder->path().string() : std::string())};
    if (world.is_root())
        for (const auto& path : {files.islands(), files.checkpoints()})
            std::filesystem::create_directories(path);
    world.barrier();
    const auto layout = make_process_layout(world, 2, 1);
    run(layout, files);
    if (!world.is_root()) return;

    const auto history = read_run(files.root);
    double first = INFINITY, last = 0, busy = 0;
    for (const auto& island : history.islands) {
        ASSERT_EQ(island.generations.size(), static_cast<std::size_t>(generations));
        first = std::min(first, island.generations.front().started);
        last = std::max(last, island.generations.back().ended);
        for (const auto& candidate : island.candidates) busy += candidate.evaluation_seconds;
    }
    const double measured = last - first;
    const auto settings = simulation_of(history, -1);
    const auto predicted = simulate(settings);
    RecordProperty("measured", std::to_string(measured));
    RecordProperty("predicted", std::to_string(predicted.wall));
    std::printf("measured %.3f s, predicted %.3f s, utilisation %.3f\n", measured, predicted.wall,
                predicted.utilisation(settings));
    EXPECT_NEAR(predicted.useful, busy, 1e-6);
    // The real run also writes checkpoints and sends messages, on a machine that may be busy with
    // other things: it may be slower, hardly faster.
    EXPECT_GT(measured, 0.95 * predicted.wall);
    EXPECT_LT(measured, 1.3 * predicted.wall + 0.5);
    // Without overlap of generations the same candidates would have taken longer.
    EXPECT_GT(simulate(simulation_of(history, 0)).wall, predicted.wall);
}

}  // namespace
}  // namespace galapagos
