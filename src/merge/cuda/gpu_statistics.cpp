#include "comm/cuda/errors.hpp"
#include "merge/cuda/statistic_kernel.hpp"

namespace galapagos::cuda {

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

void GpuStatistics::launch(const StatisticLaunch& launch) {
    if (launch.items == 0) return;
    launch_delta_pass(launch, stream_) || launch_job_pass(launch, stream_);
}

}  // namespace galapagos::cuda
