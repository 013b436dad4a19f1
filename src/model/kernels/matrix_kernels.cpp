#include "model/kernels/matrix_kernels.hpp"

namespace galapagos {

#ifdef GALAPAGOS_X86_KERNELS

namespace avx512_kernels {
extern const MatrixKernel<float> multiply_float;
extern const MatrixKernel<Bf16> multiply_bf16;
}  // namespace avx512_kernels

namespace {

bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bf16");
}

}  // namespace

template <>
MatrixKernel<float> matrix_kernel<float>() {
    static const MatrixKernel<float> kernel =
        has_avx512() ? avx512_kernels::multiply_float : nullptr;
    return kernel;
}

template <>
MatrixKernel<Bf16> matrix_kernel<Bf16>() {
    static const MatrixKernel<Bf16> kernel = has_avx512() ? avx512_kernels::multiply_bf16 : nullptr;
    return kernel;
}

#else

template <>
MatrixKernel<float> matrix_kernel<float>() {
    return nullptr;
}

template <>
MatrixKernel<Bf16> matrix_kernel<Bf16>() {
    return nullptr;
}

#endif

}  // namespace galapagos
