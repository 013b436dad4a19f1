// Memory of the GPU, and memory of the host that it reads directly.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>

#include "comm/cuda/memory_plan.hpp"

namespace galapagos::cuda {

/// All device memory of a rank, allocated once; addresses never change.
class DeviceArena {
  public:
    /// On the current device. Throws Error that lists the plan's parts and what is free when they
    /// don't fit.
    explicit DeviceArena(const MemoryPlan& plan);

    /// Where the plan's part at `offset` lies: an address of the device.
    std::byte* at(std::size_t offset) const noexcept { return memory_.get() + offset; }
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    struct Free {
        void operator()(std::byte* memory) const { cudaFree(memory); }
    };
    std::unique_ptr<std::byte, Free> memory_;
    std::size_t bytes_ = 0;
};

/// Host memory that stays in place, so that copies to and from the device need no detour and don't
/// hold up the program.
class PinnedBuffer {
  public:
    explicit PinnedBuffer(std::size_t bytes);

    std::byte* data() const noexcept { return memory_.get(); }
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    struct Free {
        void operator()(std::byte* memory) const { cudaFreeHost(memory); }
    };
    std::unique_ptr<std::byte, Free> memory_;
    std::size_t bytes_ = 0;
};

}  // namespace galapagos::cuda
