#include "model/kernels/row_kernels.hpp"

namespace galapagos {

namespace portable_kernels {
extern const RowKernels<float> float_kernels;
extern const RowKernels<Bf16> bf16_kernels;
}  // namespace portable_kernels

#ifdef GALAPAGOS_X86_KERNELS
namespace avx2_kernels {
extern const RowKernels<float> float_kernels;
extern const RowKernels<Bf16> bf16_kernels;
}  // namespace avx2_kernels
namespace avx512_kernels {
extern const RowKernels<float> float_kernels;
extern const RowKernels<Bf16> bf16_kernels;
}  // namespace avx512_kernels
#endif

namespace {

template <typename T>
const RowKernels<T>& pick(const RowKernels<float>& floats, const RowKernels<Bf16>& bf16s) {
    if constexpr (sizeof(T) == sizeof(float))
        return floats;
    else
        return bf16s;
}

}  // namespace

template <typename T>
int row_kernel_variants(const RowKernels<T>* variants[3]) {
    int count = 0;
    variants[count++] = &pick<T>(portable_kernels::float_kernels, portable_kernels::bf16_kernels);
#ifdef GALAPAGOS_X86_KERNELS
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        variants[count++] = &pick<T>(avx2_kernels::float_kernels, avx2_kernels::bf16_kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        variants[count++] = &pick<T>(avx512_kernels::float_kernels, avx512_kernels::bf16_kernels);
#endif
    return count;
}

template <typename T>
const RowKernels<T>& row_kernels() {
    static const RowKernels<T>& best = [&]() -> const RowKernels<T>& {
        const RowKernels<T>* variants[3];
        return *variants[row_kernel_variants<T>(variants) - 1];
    }();
    return best;
}

template int row_kernel_variants<float>(const RowKernels<float>* variants[3]);
template int row_kernel_variants<Bf16>(const RowKernels<Bf16>* variants[3]);
template const RowKernels<float>& row_kernels<float>();
template const RowKernels<Bf16>& row_kernels<Bf16>();

}  // namespace galapagos
