#include "model/kernels/matrix_kernels.hpp"

#include <type_traits>

#include "model/kernels/of_type.hpp"

namespace galapagos {

namespace portable_kernels {
extern const MatrixKernels<float> float_matrix_kernels;
extern const MatrixKernels<Bf16> bf16_matrix_kernels;
}  // namespace portable_kernels

#ifdef GALAPAGOS_X86_KERNELS
namespace avx2_kernels {
extern const MatrixKernels<float> float_matrix_kernels;
extern const MatrixKernels<Bf16> bf16_matrix_kernels;
}  // namespace avx2_kernels
namespace avx512_kernels {
void multiply(const MatrixTask<float>& task);
void multiply(const MatrixTask<Bf16>& task);
}  // namespace avx512_kernels
namespace avx512_bf16_kernels {
void multiply(const MatrixTask<Bf16>& task);
}  // namespace avx512_bf16_kernels
namespace amx_kernels {
void multiply(const MatrixTask<Bf16>& task);
void multiply_transposed(const MatrixTask<Bf16>& task);
}  // namespace amx_kernels
#endif

namespace {

#ifdef GALAPAGOS_X86_KERNELS

template <typename T>
const MatrixKernels<T>& avx2() {
    return of_type<T>(avx2_kernels::float_matrix_kernels, avx2_kernels::bf16_matrix_kernels);
}

/// On Intel's processors widening first is faster (Emerald Rapids, tests/bench/products). On AMD's
/// we expect the instruction to be, and have not measured it.
bool dot_product_is_fast() { return __builtin_cpu_is("amd"); }

/// Of AVX-512 there is the product with weights [out, in]; the rest is AVX2's.
template <typename T>
const MatrixKernels<T>& avx512() {
    static const MatrixKernels<T> kernels{"avx512", 8, avx512_kernels::multiply,
                                          avx2<T>().multiply_transposed};
    if constexpr (std::is_same_v<T, Bf16>)
        if (const auto* dot = dot_product_kernels(); dot != nullptr && dot_product_is_fast())
            return *dot;
    return kernels;
}

/// AMX has products of bf16.
template <typename T>
const MatrixKernels<T>& amx() {
    if constexpr (std::is_same_v<T, Bf16>) {
        static const MatrixKernels<T> kernels{"amx", 32, amx_kernels::multiply,
                                              amx_kernels::multiply_transposed};
        return kernels;
    } else {
        return avx512<T>();
    }
}

#endif

}  // namespace

const MatrixKernels<Bf16>* dot_product_kernels() {
#ifdef GALAPAGOS_X86_KERNELS
    static const MatrixKernels<Bf16> kernels{"avx512_bf16", 8, avx512_bf16_kernels::multiply,
                                             avx2<Bf16>().multiply_transposed};
    if (__builtin_cpu_supports("avx512bf16")) return &kernels;
#endif
    return nullptr;
}

template <typename T>
const MatrixKernels<T>& matrix_kernels(InstructionSet set) {
    switch (set) {
#ifdef GALAPAGOS_X86_KERNELS
        case InstructionSet::avx2:
            return avx2<T>();
        case InstructionSet::avx512:
            return avx512<T>();
        case InstructionSet::amx:
            return amx<T>();
#endif
        default:
            return of_type<T>(portable_kernels::float_matrix_kernels,
                              portable_kernels::bf16_matrix_kernels);
    }
}

template const MatrixKernels<float>& matrix_kernels<float>(InstructionSet set);
template const MatrixKernels<Bf16>& matrix_kernels<Bf16>(InstructionSet set);

}  // namespace galapagos
