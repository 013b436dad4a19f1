// How long candidates take: from a device's figures, or from times that were measured.
#pragma once

#include <vector>

#include "forecast/machine.hpp"
#include "forecast/workload.hpp"

namespace galapagos {

/// A collective takes so long, however little it brings: usual for NCCL within a node.
inline constexpr double collective_seconds = 10e-6;

/// Seconds that a group of `width` ranks takes for a workload: of each pass, arithmetic or memory,
/// whichever is slower, and then, or beside it, the sums over the ranks, where they have a link.
double workload_seconds(const Architecture& architecture, const DecoderOptions& options,
                        const Workload& workload, const MachineFigures& rank, int width);

/// Mean of measured times, and their spread: the standard deviation of their logarithm.
struct TimeSpread {
    double mean = 0;
    double sigma = 0;
};
/// Of at least one time.
TimeSpread spread_of(const std::vector<double>& seconds);

}  // namespace galapagos
