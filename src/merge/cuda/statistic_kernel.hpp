// Taking statistics of sources that are in the GPU's memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "comm/cuda/stream.hpp"
#include "merge/cuda/resident_tensors.hpp"
#include "merge/cuda/statistic_device.hpp"

namespace galapagos::cuda {

/// Queues the kernel of a pass over task vectors, or over all models of a job; nothing waits,
/// nothing is allocated. False if the pass is one of the others. There must be items.
bool launch_delta_pass(const StatisticLaunch& launch, const Stream& stream);
bool launch_job_pass(const StatisticLaunch& launch, const Stream& stream);

/// The current GPU, with a stream of its own.
class GpuStatistics : public StatisticDevice {
  public:
    /// The tensors must outlive it.
    explicit GpuStatistics(const ResidentTensors& tensors) : tensors_(&tensors) {}

    const std::byte* resident(const std::byte* mapped) const override {
        return tensors_->find(mapped);
    }
    void copy_in(const void* from, std::size_t bytes, std::byte* to) override;
    void copy_out(const std::byte* from, std::size_t bytes, void* to) override;
    void set_to_zero(std::byte* at, std::size_t bytes) override;
    void launch(const StatisticLaunch& launch) override;

    const Stream& stream() const noexcept { return stream_; }

  private:
    const ResidentTensors* tensors_;
    Stream stream_;
};

}  // namespace galapagos::cuda
