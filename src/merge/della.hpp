// DELLA (Deep et al., 2024): a task vector is thinned at random, large changes survive more often.
#pragma once

#include <cstdint>
#include <vector>

#include "merge/delta.hpp"
#include "merge/random_mask.hpp"

namespace galapagos {

/// Where |delta| stands in its row in ascending order, from 0 (smallest) to 65535 (largest). Of
/// equal magnitudes the earlier stand lower. A row of one element stands in the middle.
std::vector<std::uint16_t> magnitude_ranks(const DeltaPair& pair, std::int64_t row_length);

/// Sets the probabilities of an input: density - epsilon for the smallest of a row, density +
/// epsilon for the largest.
void set_rank_probabilities(double density, double epsilon, JobInput& input);

/// L1 norms of the delta, before and after thinning, in fixed-point units.
struct ThinnedNorms {
    std::int64_t total = 0;
    std::int64_t kept = 0;
};
ThinnedNorms thinned_norms(const DeltaPair& pair, const FixedPoint& fixed, const JobInput& input,
                           const MaskStream& stream);

}  // namespace galapagos
