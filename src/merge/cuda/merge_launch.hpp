// One launch of a merge kernel.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"

namespace galapagos::cuda {

/// Entries of one arithmetic, numbered by assign_chunks, in memory that the device reads.
struct MergeLaunch {
    Arithmetic arithmetic = Arithmetic::weighted_sum;
    const DeviceJob* jobs = nullptr;
    int job_count = 0;
    std::int64_t chunks = 0;
    bool beside_work = false;  ///< leaves most of the device to what else runs there
};

}  // namespace galapagos::cuda
