// What a run of a config will need, on machines that need not be there.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/config.hpp"

namespace galapagos {

/// What is known of the machines. Bytes, seconds, watts; 0: not given.
struct PlanSettings {
    int nodes = 1;
    int ranks_per_node = 0;
    double gpu_memory = 0;  ///< of each GPU, one a rank; 0: ranks compute on the CPU
    double memory_per_node = 0;
    double tflops = 0;          ///< of a rank
    double bandwidth = 0;       ///< of a rank's memory, GB/s
    double bus_bandwidth = 0;   ///< from the host's memory to a rank's GPU, GB/s
    double link_bandwidth = 0;  ///< from an evaluator's other GPUs to a rank's, GB/s
    double seconds_per_candidate = 0;
    std::string like;    ///< an earlier run's directory
    int new_tokens = 0;  ///< a generated row, on average
    double node_watts = 0;
    std::optional<double> straggler_sigma;
    double island_sigma = 0;
    double mtbf = 0;
    double requeue_seconds = 60;
    double start_seconds = 30;
    int repeats = 20;
};

/// Opens headers of models and the tasks, computes, and simulates. Needs no GPU and little memory;
/// measures this processor for a part of a second unless figures are given. Throws UsageError for
/// configs and layouts that `evolve` would refuse.
nlohmann::ordered_json make_plan_report(Config config, const PlanSettings& settings);

/// The report as people read it.
std::string describe_plan(const nlohmann::ordered_json& report);

}  // namespace galapagos
