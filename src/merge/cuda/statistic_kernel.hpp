// Taking statistics of sources that are in the GPU's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "comm/cuda/stream.hpp"
#include "merge/cuda/statistic_device.hpp"

namespace galapagos::cuda {

/// Queues the kernel of a launch; nothing waits, nothing is allocated.
void launch_statistic(const StatisticLaunch& launch, const Stream& stream);

/// The current GPU, with a stream of its own.
class GpuStatistics : public StatisticDevice {
  public:
    /// Tells where the bytes from `mapped` on lie on the GPU.
    void add_resident(const std::byte* mapped, std::size_t bytes, const std::byte* on_device);

    /// Throws Error for what was not added.
    const std::byte* resident(const std::byte* mapped) const override;
    std::shared_ptr<std::byte[]> allocate(std::size_t bytes) override;
    void copy_in(const void* from, std::size_t bytes, std::byte* to) override;
    void copy_out(const std::byte* from, std::size_t bytes, void* to) override;
    void set_to_zero(std::byte* at, std::size_t bytes) override;
    void launch(const StatisticLaunch& launch) override;

  private:
    struct Place {
        std::size_t bytes;
        const std::byte* on_device;
    };
    Stream stream_;
    std::map<const std::byte*, Place> places_;
};

}  // namespace galapagos::cuda
