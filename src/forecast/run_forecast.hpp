// What to expect of a run: several simulated ones, summed up.
#pragma once

#include <vector>

#include "forecast/simulation.hpp"

namespace galapagos {

struct RunForecast {
    std::vector<double> walls;  ///< of every simulated run, ascending
    int given_up = 0;           ///< runs that did not complete
    // Means over the runs, as in SimulationResult.
    double utilisation = 0;
    double failures = 0;
    double lost = 0;
    double down = 0;
    double generations = 0;

    /// Wall time that a share `q` of the runs stays below.
    double wall(double q) const;
};

/// Plays as many runs as are asked for and affordable, one at least, with seeds 1, 2, ...;
/// `final_seconds` follow every search.
RunForecast forecast_run(SimulationSettings settings, int repeats, double final_seconds);

}  // namespace galapagos
