#include "forecast/simulation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"

namespace galapagos {
namespace {

SimulationSettings small() {
    SimulationSettings settings;
    settings.islands = 2;
    settings.evaluators = 2;
    settings.population = 8;
    settings.generations = 10;
    settings.seconds_per_candidate = 2;
    settings.start_seconds = 0;
    return settings;
}

TEST(Simulation, EqualTimesFillTheEvaluators) {
    const auto settings = small();
    const auto result = simulate(settings);
    EXPECT_TRUE(result.completed);
    EXPECT_DOUBLE_EQ(result.wall, 10 * 8 * 2.0 / 2);
    EXPECT_DOUBLE_EQ(result.utilisation(settings), 1);
    EXPECT_EQ(result.evaluations, 160u);
    EXPECT_EQ(result.generations, 10u);
}

TEST(Simulation, WithoutAWindowAGenerationWaitsForItsSlowest) {
    auto settings = small();
    settings.islands = 1;
    settings.migration.topology = TopologyKind::none;
    settings.population = 3;
    settings.generations = 2;
    settings.window = 0;
    settings.known_seconds = [](int, std::uint64_t k) { return k % 3 == 0 ? 5.0 : 1.0; };
    // Evaluator 0 gets the long one; the queue binds candidate 2 to it as well.
    EXPECT_DOUBLE_EQ(simulate(settings).wall, 2 * 6.0);
    settings.window = 3;
    EXPECT_LT(simulate(settings).wall, 12.0);
}

TEST(Simulation, TheWindowHidesStragglers) {
    auto settings = small();
    settings.evaluators = 4;
    settings.straggler_sigma = 0.5;
    settings.generations = 40;
    double before = 0;
    for (const int window : {0, 4, 8}) {
        settings.window = window;
        const double utilisation = simulate(settings).utilisation(settings);
        EXPECT_GT(utilisation, before) << window;
        before = utilisation;
    }
    settings.window = 0;
    const double waiting = simulate(settings).utilisation(settings);
    settings.mode = Mode::asynchronous;
    EXPECT_GT(simulate(settings).utilisation(settings), waiting);
}

TEST(Simulation, ALaterLagHidesSlowNeighbours) {
    auto settings = small();
    settings.islands = 8;
    settings.evaluators = 4;
    settings.population = 4;
    settings.straggler_sigma = 1;
    settings.generations = 40;
    settings.migration.interval = 1;
    settings.migration.lag = 1;
    const double near = simulate(settings).wall;
    settings.migration.lag = 6;
    EXPECT_LT(simulate(settings).wall, near);
}

TEST(Simulation, MigrantsHoldAnIslandBack) {
    auto settings = small();
    settings.evaluators = 1;
    settings.migration.interval = 1;
    settings.known_seconds = [](int island, std::uint64_t) { return island == 0 ? 1.0 : 3.0; };
    const auto result = simulate(settings);
    EXPECT_DOUBLE_EQ(result.wall, 10 * 8 * 3.0);
    settings.migration.topology = TopologyKind::none;
    EXPECT_DOUBLE_EQ(simulate(settings).wall, 10 * 8 * 3.0);
    EXPECT_DOUBLE_EQ(result.useful, 10 * 8 * 4.0);
}

TEST(Simulation, FailuresCostWhatSinceTheLastGenerationWasDone) {
    auto settings = small();
    settings.generations = 50;
    settings.nodes = 2;
    settings.mtbf = 400;
    settings.requeue_seconds = 20;
    settings.start_seconds = 5;
    auto undisturbed = settings;
    undisturbed.mtbf = INFINITY;
    double failures = 0;
    for (settings.seed = 1; settings.seed <= 20; ++settings.seed) {
        const auto result = simulate(settings);
        ASSERT_TRUE(result.completed);
        EXPECT_EQ(result.evaluations, 800u);
        EXPECT_DOUBLE_EQ(result.useful, 800 * 2.0);
        EXPECT_NEAR(result.down, 5 + 25.0 * result.failures, 1e-9);
        // Every evaluator-second is useful, lost, down, or idle.
        EXPECT_LE(result.useful + result.lost, 4 * (result.wall - result.down) + 1e-6);
        EXPECT_LE(result.lost, result.failures * 2 * (8 + 2 + 2) * 2.0);
        EXPECT_GE(result.wall, simulate(undisturbed).wall + 25.0 * result.failures);
        failures += result.failures;
    }
    // 200 seconds between failures of any of two nodes; a run computes for 400 to 700.
    EXPECT_NEAR(failures / 20, 2.7, 1.2);
}

TEST(Simulation, AJobThatNeverGetsAnywhereGivesUp) {
    auto settings = small();
    settings.mtbf = 0.5;
    const auto result = simulate(settings);
    EXPECT_FALSE(result.completed);
    EXPECT_EQ(result.failures, settings.fruitless_limit);
}

TEST(Simulation, WallTimeEndsIt) {
    auto settings = small();
    settings.generations = 0;
    EXPECT_THROW(simulate(settings), UsageError);
    settings.wall_time = 100;
    const auto result = simulate(settings);
    EXPECT_DOUBLE_EQ(result.wall, 100);
    EXPECT_EQ(result.generations, 12u);
}

TEST(Simulation, TheSameSettingsGiveTheSameRun) {
    auto settings = small();
    settings.islands = 1000;
    settings.straggler_sigma = 0.3;
    settings.island_sigma = 0.1;
    settings.nodes = 1000;
    settings.mtbf = 1e5;
    const auto once = simulate(settings);
    EXPECT_EQ(once.wall, simulate(settings).wall);
    settings.seed = 2;
    EXPECT_NE(once.wall, simulate(settings).wall);
}

}  // namespace
}  // namespace galapagos
