#include "model/kernels/avx512_product.hpp"

namespace galapagos::avx512_kernels {

void multiply(const MatrixTask<float>& task);
void multiply(const MatrixTask<Bf16>& task);
void multiply(const MatrixTask<float>& task) { multiply_all<MultiplyAdd<float>>(task); }
void multiply(const MatrixTask<Bf16>& task) { multiply_all<MultiplyAdd<Bf16>>(task); }

}  // namespace galapagos::avx512_kernels
