// Reinforced Agent Merging: statistics of its "plus" variant.
#pragma once

#include <vector>

#include "merge/job.hpp"

namespace galapagos {

/// Factor of the changes that a model alone has, for each input of the job:
/// 1 + r * clamp(changes shared with others / changes of its own, 0, alpha).
std::vector<double> ramplus_gains(const TensorJob& job);

}  // namespace galapagos
