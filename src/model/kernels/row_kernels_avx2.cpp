#define GALAPAGOS_KERNEL_SET avx2_kernels
#define GALAPAGOS_KERNEL_NAME "avx2"
#include "model/kernels/row_kernels_body.hpp"
