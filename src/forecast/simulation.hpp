// A run in simulated time: islands, evaluators, stragglers and failing nodes, without models.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>

#include "island/settings.hpp"

namespace galapagos {

/// What is simulated. Times in seconds.
struct SimulationSettings {
    int islands = 1;
    int evaluators = 1;  ///< an island
    std::uint64_t population = 8;
    std::uint64_t generations = 0;  ///< of an island; 0: no limit, then wall_time must be one
    double wall_time = std::numeric_limits<double>::infinity();
    Mode mode = Mode::deterministic;
    int window = -1;  ///< as in IslandSettings: -1 is half the population
    MigrationSettings migration;

    double seconds_per_candidate = 1;
    /// Log-normal spread of the candidates' times: standard deviation of their logarithm.
    double straggler_sigma = 0;
    /// The same of lasting differences between islands (a node that is slower than others).
    double island_sigma = 0;
    /// Known times instead of drawn ones: (island, candidate) -> seconds.
    std::function<double(int, std::uint64_t)> known_seconds;

    int nodes = 1;
    double mtbf = std::numeric_limits<double>::infinity();  ///< mean time between failures, a node
    double requeue_seconds = 60;  ///< from a failure until the job runs again
    double start_seconds = 30;    ///< of every attempt: opening models, first merge
    int fruitless_limit = 3;      ///< attempts in a row without a new generation that end the job
    std::uint64_t seed = 1;
};

struct SimulationResult {
    bool completed = true;  ///< false: it gave up after fruitless attempts
    double wall = 0;        ///< from the first start to the last island's end
    double useful = 0;      ///< evaluator-seconds whose results were told
    double lost = 0;        ///< evaluator-seconds thrown away by failures
    double down = 0;        ///< seconds in which the job was not running, or starting
    int failures = 0;
    std::uint64_t generations = 0;  ///< of the island with the fewest
    std::uint64_t evaluations = 0;  ///< told, all islands

    /// Useful work over the time that all evaluators had.
    double utilisation(const SimulationSettings& settings) const;
};

/// Plays one run. The order of events is that of IslandSearch and Dispatcher: candidate k is drawn
/// after floor(max(0, k - window) / population) generations, evaluators are kept two candidates
/// deep, migrants sent after generation g are needed after generation g + lag. A failure of any
/// node ends the attempt; the next one starts from every island's last generation, with the results
/// that its checkpoint holds. The same settings give the same result. Throws UsageError when
/// neither generations nor wall_time limits the run.
SimulationResult simulate(const SimulationSettings& settings);

}  // namespace galapagos
