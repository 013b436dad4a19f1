// The kernels of matrix_kernels.hpp, compiled once per instruction set: each including file sets
// its own compiler flags, GALAPAGOS_KERNEL_SET, GALAPAGOS_KERNEL_NAME and GALAPAGOS_VECTOR_BYTES.
// Everything here has internal linkage and calls no inline function of another header, so that no
// code for a newer processor leaks out.
#include "model/kernels/row_by_row_product.hpp"
#include "model/kernels/transposed_product.hpp"

namespace galapagos {

namespace GALAPAGOS_KERNEL_SET {
extern const MatrixKernels<float> float_matrix_kernels;
extern const MatrixKernels<Bf16> bf16_matrix_kernels;
const MatrixKernels<float> float_matrix_kernels{GALAPAGOS_KERNEL_NAME, 8, multiply<float>,
                                                multiply_transposed<float>};
const MatrixKernels<Bf16> bf16_matrix_kernels{GALAPAGOS_KERNEL_NAME, 8, multiply<Bf16>,
                                              multiply_transposed<Bf16>};
}  // namespace GALAPAGOS_KERNEL_SET

}  // namespace galapagos
