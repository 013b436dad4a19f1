#define GALAPAGOS_KERNEL_SET portable_kernels
#define GALAPAGOS_KERNEL_NAME "portable"
#include "model/kernels/row_kernels_body.hpp"
