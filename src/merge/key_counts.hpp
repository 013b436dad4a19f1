// How often each magnitude occurs in a task vector.
#pragma once

#include <vector>

#include "merge/statistic_passes.hpp"

namespace galapagos {

/// The elements of a range, bucket by bucket, counted by all threads.
std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                  const KeyRange& range);

}  // namespace galapagos
