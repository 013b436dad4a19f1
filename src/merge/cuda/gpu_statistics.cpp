#include <fmt/format.h>

#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "merge/cuda/statistic_kernel.hpp"

namespace galapagos::cuda {

void GpuStatistics::add_resident(const std::byte* mapped, std::size_t bytes,
                                 const std::byte* on_device) {
    places_[mapped] = {bytes, on_device};
}

const std::byte* GpuStatistics::resident(const std::byte* mapped) const {
    if (mapped == nullptr) return nullptr;
    const auto after = places_.upper_bound(mapped);
    if (after != places_.begin()) {
        const auto& [begin, place] = *std::prev(after);
        const auto offset = static_cast<std::size_t>(mapped - begin);
        if (offset < place.bytes) return place.on_device + offset;
    }
    throw Error("statistics can't be taken on the GPU", "a source's tensor is not in its memory",
                "this is a mistake in galapagos: please report it");
}

std::shared_ptr<std::byte[]> GpuStatistics::allocate(std::size_t bytes) {
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes),
          fmt::format("can't get {} bytes of GPU memory for statistics", bytes));
    return {static_cast<std::byte*>(memory), [](std::byte* at) { cudaFree(at); }};
}

void GpuStatistics::copy_in(const void* from, std::size_t bytes, std::byte* to) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_.handle()),
          "can't copy to the GPU");
    // A copy from pinned memory may still be reading it.
    stream_.synchronize();
}

void GpuStatistics::copy_out(const std::byte* from, std::size_t bytes, void* to) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_.handle()),
          "can't copy from the GPU");
    stream_.synchronize();
}

void GpuStatistics::set_to_zero(std::byte* at, std::size_t bytes) {
    if (bytes == 0) return;
    check(cudaMemsetAsync(at, 0, bytes, stream_.handle()), "can't clear GPU memory");
}

void GpuStatistics::launch(const StatisticLaunch& launch) { launch_statistic(launch, stream_); }

}  // namespace galapagos::cuda
