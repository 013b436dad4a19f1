// The sections of a plan's report.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/plan_inputs.hpp"
#include "forecast/gpu_memory.hpp"
#include "forecast/machine.hpp"

namespace galapagos {

/// What every tensor-parallel width that the nodes allow needs of a rank and of a node, and whether
/// that fits.
nlohmann::ordered_json plan_memory(const PlanInputs& in, const PlanMachines& machines);

/// Of the run's own width; none where it computes on the CPU.
std::optional<GpuForecast> gpu_forecast(const PlanInputs& in, const PlanMachines& machines);

/// What the evaluation of a candidate computes.
nlohmann::ordered_json plan_work(const PlanInputs& in);

/// How long a candidate takes, and the end of the run.
struct PlanTimes {
    MachineFigures rank;
    double merge = 0;
    bool merges_overlap = false;  ///< with the evaluation before
    double sums = 0;              ///< over GPUs, as far as they hold up a candidate's evaluation
    double candidate = 0;
    std::string candidate_source;
    double sigma = 0;  ///< spread of the candidates' times, as in SimulationSettings
    double final = 0;  ///< choosing among the finalists, and the test
};
/// Measures this processor when no other figures are there. Throws for an earlier run that can't be
/// read or has no times.
PlanTimes plan_times(const PlanInputs& in, const PlanMachines& machines,
                     const PlanSettings& settings);
nlohmann::ordered_json plan_speed(const PlanTimes& times, const PlanMachines& machines);

/// Bytes of collectives and migrants.
nlohmann::ordered_json plan_communication(const PlanInputs& in, const PlanMachines& machines);

/// The whole run, simulated; with other windows and lags, too.
nlohmann::ordered_json plan_run(const PlanInputs& in, const PlanMachines& machines,
                                const PlanTimes& times, const PlanSettings& settings);

}  // namespace galapagos
