#include "model/cuda/forward_kernels.hpp"
#include "model/cuda/launch.cuh"

namespace galapagos::cuda {

template <typename T, int together>
void run_kernel(const Attend<T, together>& job, const Stream& stream) {
    launch(job, stream);
}

template void run_kernel(const Attend<float, 1>&, const Stream&);
template void run_kernel(const Attend<float, 2>&, const Stream&);
template void run_kernel(const Attend<float, 4>&, const Stream&);
template void run_kernel(const Attend<float, 8>&, const Stream&);
template void run_kernel(const Attend<Bf16, 1>&, const Stream&);
template void run_kernel(const Attend<Bf16, 2>&, const Stream&);
template void run_kernel(const Attend<Bf16, 4>&, const Stream&);
template void run_kernel(const Attend<Bf16, 8>&, const Stream&);

}  // namespace galapagos::cuda
