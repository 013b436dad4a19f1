// DELLA (Deep et al., 2024): a task vector is thinned at random, large changes survive more often.
#pragma once

#include <cstdint>
#include <vector>

#include "merge/delta.hpp"
#include "merge/random_mask.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

/// The number for element i of a row that is sorted by magnitude.
std::vector<std::uint16_t> ranks_in_order(std::int64_t row_length);

/// As StatisticPasses, by all threads.
std::vector<std::uint16_t> magnitude_ranks(const DeltaPair& pair, std::int64_t row_length);

/// Sets the probabilities of an input: density - epsilon for the smallest of a row, density +
/// epsilon for the largest.
void set_rank_probabilities(double density, double epsilon, JobInput& input);

/// Of the delta before and after thinning, by all threads.
ThinnedNorms thinned_norms(const DeltaPair& pair, const FixedPoint& fixed, const JobInput& input,
                           const MaskStream& stream);

}  // namespace galapagos
