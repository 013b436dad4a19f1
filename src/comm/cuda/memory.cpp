#include "comm/cuda/memory.hpp"

#include <fmt/format.h>

#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {
namespace {

double gib(std::size_t bytes) { return static_cast<double>(bytes) / 0x1p30; }

/// "; 12.10 of 79.11 GiB are free", or nothing where the device doesn't say.
std::string free_text() {
    std::size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) return "";
    return fmt::format("; {:.2f} of {:.2f} GiB are free", gib(free), gib(total));
}

}  // namespace

DeviceArena::DeviceArena(const MemoryPlan& plan) : bytes_(plan.bytes()) {
    if (bytes_ == 0) return;
    void* memory = nullptr;
    const cudaError_t code = cudaMalloc(&memory, bytes_);
    if (code != cudaSuccess)
        check(code, fmt::format("can't reserve {:.2f} GiB on the GPU: {}{}", gib(bytes_),
                                plan.text(), free_text()));
    memory_.reset(static_cast<std::byte*>(memory));
}

PinnedBuffer::PinnedBuffer(std::size_t bytes) : bytes_(bytes) {
    if (bytes_ == 0) return;
    void* memory = nullptr;
    check(cudaMallocHost(&memory, bytes_),
          fmt::format("can't pin {:.2f} GiB of host memory", gib(bytes_)));
    memory_.reset(static_cast<std::byte*>(memory));
}

}  // namespace galapagos::cuda
