#include "model/kernels/row_kernels.hpp"

#include "model/kernels/of_type.hpp"

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

template <typename T>
const RowKernels<T>& row_kernels(InstructionSet set) {
    switch (set) {
#ifdef GALAPAGOS_X86_KERNELS
        case InstructionSet::avx2:
            return of_type<T>(avx2_kernels::float_kernels, avx2_kernels::bf16_kernels);
        case InstructionSet::avx512:
        case InstructionSet::amx:
            return of_type<T>(avx512_kernels::float_kernels, avx512_kernels::bf16_kernels);
#endif
        default:
            return of_type<T>(portable_kernels::float_kernels, portable_kernels::bf16_kernels);
    }
}

template const RowKernels<float>& row_kernels<float>(InstructionSet set);
template const RowKernels<Bf16>& row_kernels<Bf16>(InstructionSet set);

}  // namespace galapagos
