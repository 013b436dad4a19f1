#include "forecast/run_forecast.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace galapagos {
namespace {

SimulationSettings small() {
    SimulationSettings settings;
    settings.generations = 3;
    settings.straggler_sigma = 0.3;
    return settings;
}

TEST(RunForecast, SumsUpTheRunsOfEverySeed) {
    const auto forecast = forecast_run(small(), 5, 100);
    ASSERT_EQ(forecast.walls.size(), 5u);
    EXPECT_TRUE(std::is_sorted(forecast.walls.begin(), forecast.walls.end()));
    std::vector<double> walls;
    double utilisation = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        auto settings = small();
        settings.seed = seed;
        const auto result = simulate(settings);
        walls.push_back(result.wall + 100);
        utilisation += result.utilisation(settings) / 5;
    }
    std::sort(walls.begin(), walls.end());
    EXPECT_EQ(forecast.walls, walls);
    EXPECT_DOUBLE_EQ(forecast.utilisation, utilisation);
    EXPECT_DOUBLE_EQ(forecast.generations, 3);
    EXPECT_EQ(forecast.wall(0), walls.front());
    EXPECT_EQ(forecast.wall(0.5), walls[2]);
    EXPECT_DOUBLE_EQ(forecast.wall(0.625), (walls[2] + walls[3]) / 2);
    EXPECT_EQ(forecast.wall(1), walls.back());
}

TEST(RunForecast, LongRunsAreSimulatedFewerTimes) {
    auto settings = small();
    settings.population = 1000;
    settings.generations = 1500;
    EXPECT_EQ(forecast_run(settings, 20, 0).walls.size(), 1u);
}

}  // namespace
}  // namespace galapagos
