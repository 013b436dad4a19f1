// Merging all tensors of a candidate on the GPU.
#pragma once

#include "comm/cuda/stream.hpp"
#include "merge/cuda/merge_launch.hpp"

namespace galapagos::cuda {

/// Queues one kernel for all entries; nothing waits, nothing is allocated.
void launch_merge(const MergeLaunch& launch, const Stream& stream);

}  // namespace galapagos::cuda
