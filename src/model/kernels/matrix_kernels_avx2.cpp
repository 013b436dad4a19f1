#define GALAPAGOS_KERNEL_SET avx2_kernels
#define GALAPAGOS_KERNEL_NAME "avx2"
#define GALAPAGOS_VECTOR_BYTES 32
#include "model/kernels/matrix_kernels_body.hpp"
