#include "model/cuda/forward_kernels.hpp"
#include "model/cuda/launch.cuh"

namespace galapagos::cuda {

template <typename T>
void run_kernel(const AttendTokens<T>& job, const Stream& stream) {
    with_together(job, [&](const auto& attend) { launch(attend, stream); });
}

void run_kernel(const AttendTiles& job, const Stream& stream) {
    with_width(job, [&](const auto& attend) { launch(attend, stream); });
}

template void run_kernel(const AttendTokens<float>&, const Stream&);
template void run_kernel(const AttendTokens<Bf16>&, const Stream&);

}  // namespace galapagos::cuda
