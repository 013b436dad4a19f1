#include "forecast/run_forecast.hpp"

#include <algorithm>

namespace galapagos {
namespace {

/// Candidates that all simulations together may play.
constexpr double simulated_candidates = 2e6;

int affordable(const SimulationSettings& settings, int repeats) {
    const auto population = static_cast<double>(settings.population);
    double generations = settings.generations > 0 ? static_cast<double>(settings.generations) : 1e9;
    generations = std::min(generations, settings.wall_time * settings.evaluators /
                                            (settings.seconds_per_candidate * population));
    const double candidates = generations * population * settings.islands;
    return static_cast<int>(
        std::clamp(simulated_candidates / std::max(1.0, candidates), 1.0, double(repeats)));
}

}  // namespace

double RunForecast::wall(double q) const {
    const double at = q * static_cast<double>(walls.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, walls.size() - 1);
    return walls[low] + (at - static_cast<double>(low)) * (walls[high] - walls[low]);
}

RunForecast forecast_run(SimulationSettings settings, int repeats, double final_seconds) {
    repeats = affordable(settings, repeats);
    RunForecast forecast;
    for (int i = 0; i < repeats; ++i) {
        settings.seed = static_cast<std::uint64_t>(i) + 1;
        const auto result = simulate(settings);
        forecast.walls.push_back(result.wall + final_seconds);
        forecast.given_up += result.completed ? 0 : 1;
        forecast.utilisation += result.utilisation(settings) / repeats;
        forecast.failures += static_cast<double>(result.failures) / repeats;
        forecast.lost += result.lost / repeats;
        forecast.down += result.down / repeats;
        forecast.generations += static_cast<double>(result.generations);
    }
    forecast.generations /= repeats;
    std::sort(forecast.walls.begin(), forecast.walls.end());
    return forecast;
}

}  // namespace galapagos
