#define GALAPAGOS_KERNEL_SET avx512_kernels
#define GALAPAGOS_KERNEL_NAME "avx512"
#include "model/kernels/row_kernels_body.hpp"
