// The machine that takes statistics: a GPU, or the host's twin of its kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

/// Entries numbered by number_items, in the device's memory.
struct StatisticLaunch {
    StatisticPass pass = StatisticPass::largest_magnitude;
    const StatisticJob* jobs = nullptr;
    int job_count = 0;
    std::int64_t items = 0;
    /// 0: as many as the device runs at once.
    int most_blocks = 0;
};

/// What is queued is done in order; members throw Error where the device fails. It has no memory to
/// give: whoever asks brings its own.
class StatisticDevice {
  public:
    virtual ~StatisticDevice() = default;

    /// Where a source's tensor, named by its address in the mapped file, lies in the device's
    /// memory.
    virtual const std::byte* resident(const std::byte* mapped) const = 0;

    // `from` may be changed once copy_in has returned; copy_out waits until `to` is filled.
    virtual void copy_in(const void* from, std::size_t bytes, std::byte* to) = 0;
    virtual void copy_out(const std::byte* from, std::size_t bytes, void* to) = 0;
    virtual void set_to_zero(std::byte* at, std::size_t bytes) = 0;
    virtual void launch(const StatisticLaunch& launch) = 0;
};

}  // namespace galapagos::cuda
