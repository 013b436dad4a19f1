// Reinforced Agent Merging: statistics of its "plus" variant.
#pragma once

#include <vector>

#include "merge/statistic_passes.hpp"

namespace galapagos {

/// Factor of the changes that a model alone has, for each input of the job:
/// 1 + r * clamp(changes shared with others / changes of its own, 0, alpha).
std::vector<double> ramplus_gains(const TensorJob& job, StatisticPasses& passes = cpu_passes());

/// As StatisticPasses, by all threads.
InputChanges count_changes(const TensorJob& job);

}  // namespace galapagos
