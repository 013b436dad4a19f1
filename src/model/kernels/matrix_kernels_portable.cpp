#define GALAPAGOS_KERNEL_SET portable_kernels
#define GALAPAGOS_KERNEL_NAME "portable"
#define GALAPAGOS_VECTOR_BYTES 16
#include "model/kernels/matrix_kernels_body.hpp"
