// Arcee Fusion: the base takes over the other model's most important changes.
#pragma once

#include <vector>

#include "merge/statistic_passes.hpp"

namespace galapagos {

/// How much the distributions differ that softmax makes of each row (the last dimension) of the two
/// models: a Kullback-Leibler divergence a row, in fp64.
std::vector<float> row_divergences(const TensorJob& job);

/// A change's importance is its magnitude times its row's divergence. Those from median + 1.5 *
/// (third quartile - first quartile) on are taken over.
float importance_threshold(const TensorJob& job, const std::vector<float>& divergences,
                           StatisticPasses& passes = cpu_passes());

/// As StatisticPasses, by all threads.
std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                          const std::vector<float>& divergences,
                                          const std::vector<std::int64_t>& places);

}  // namespace galapagos
