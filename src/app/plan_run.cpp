#include <algorithm>
#include <cstdint>

#include "app/plan_sections.hpp"
#include "forecast/run_forecast.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

/// Generations of an island that the budget allows; 0: as many as the wall time.
std::uint64_t budgeted_generations(const BudgetSettings& budget, std::uint64_t population) {
    std::uint64_t generations = 0;
    if (budget.evaluations > 0)
        generations =
            (static_cast<std::uint64_t>(budget.evaluations) + population - 1) / population;
    if (budget.generations > 0)
        generations = std::min(generations > 0 ? generations : UINT64_MAX,
                               static_cast<std::uint64_t>(budget.generations));
    return generations;
}

SimulationSettings simulation_of(const PlanInputs& in, const PlanMachines& machines,
                                 const PlanTimes& times, const PlanSettings& settings) {
    SimulationSettings sim;
    sim.islands = machines.islands;
    sim.evaluators = machines.evaluators;
    sim.population = in.population;
    sim.generations = budgeted_generations(in.config.budget, in.population);
    if (in.config.budget.wall_time > 0) sim.wall_time = in.config.budget.wall_time;
    sim.mode = in.config.islands.mode;
    sim.window = in.config.islands.window;
    sim.migration = in.config.migration;
    sim.seconds_per_candidate = times.candidate;
    sim.straggler_sigma = times.sigma;
    sim.island_sigma = settings.island_sigma;
    sim.nodes = machines.nodes;
    if (settings.mtbf > 0) sim.mtbf = settings.mtbf;
    sim.requeue_seconds = settings.requeue_seconds;
    sim.start_seconds = settings.start_seconds;
    return sim;
}

/// One run each with other windows and lags, and without order.
ordered_json variants(SimulationSettings sim, double final_seconds) {
    ordered_json list = ordered_json::array();
    const auto add = [&](const SimulationSettings& variant) {
        const auto result = simulate(variant);
        const bool deterministic = variant.mode == Mode::deterministic;
        list.push_back({{"mode", deterministic ? "deterministic" : "asynchronous"},
                        {"window", variant.window},
                        {"lag", variant.migration.lag},
                        {"wall_seconds", result.wall + final_seconds},
                        {"utilisation", result.utilisation(variant)}});
    };
    sim.mode = Mode::deterministic;
    const auto population = static_cast<int>(sim.population);
    for (const int window : {0, population / 2, population})
        for (const int lag : {1, 4}) {
            if (sim.islands == 1 && lag > 1) continue;
            sim.window = window;
            sim.migration.lag = lag;
            add(sim);
        }
    sim.mode = Mode::asynchronous;
    add(sim);
    return list;
}

}  // namespace

ordered_json plan_run(const PlanInputs& in, const PlanMachines& machines, const PlanTimes& times,
                      const PlanSettings& settings) {
    const auto sim = simulation_of(in, machines, times, settings);
    const auto forecast = forecast_run(sim, settings.repeats, times.final);
    ordered_json run{
        {"simulated_runs", forecast.walls.size()},
        {"generations", forecast.generations},
        {"evaluations",
         forecast.generations * static_cast<double>(in.population) * machines.islands},
        {"wall_seconds",
         {{"p10", forecast.wall(0.1)}, {"p50", forecast.wall(0.5)}, {"p90", forecast.wall(0.9)}}},
        {"utilisation", forecast.utilisation}};
    if (settings.mtbf > 0)
        run["failures"] = {{"mean", forecast.failures},
                           {"evaluator_seconds_lost", forecast.lost},
                           {"down_seconds", forecast.down},
                           {"given_up", forecast.given_up}};
    if (settings.node_watts > 0)
        run["energy_kwh"] = settings.node_watts * machines.nodes * forecast.wall(0.5) / 3.6e6;
    run["variants"] = variants(sim, times.final);
    return run;
}

}  // namespace galapagos
