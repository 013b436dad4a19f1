// Merging all tensors of a candidate on the GPU.
#pragma once

#include <cstdint>

#include "comm/cuda/stream.hpp"
#include "merge/cuda/device_job.hpp"

namespace galapagos::cuda {

/// Entries of one arithmetic, numbered by assign_chunks, in memory that the device reads.
struct MergeLaunch {
    Arithmetic arithmetic = Arithmetic::weighted_sum;
    const DeviceJob* jobs = nullptr;
    int job_count = 0;
    std::int64_t chunks = 0;
};

/// Queues one kernel for all entries; nothing waits, nothing is allocated.
void launch_merge(const MergeLaunch& launch, const Stream& stream);

}  // namespace galapagos::cuda
