// Code that the GPU runs and that the host can run too, so that tests without a GPU can prove it.
#pragma once

#if defined(__CUDACC__)
#define GALAPAGOS_HOST_DEVICE __host__ __device__
#else
#define GALAPAGOS_HOST_DEVICE
#endif

// Before a loop: one whose numbers must be known when it is compiled, so that what threads own
// stays in registers; and one that is run so rarely that it should take little code and few
// registers.
#if defined(__CUDA_ARCH__)
#define GALAPAGOS_UNROLL _Pragma("unroll")
#define GALAPAGOS_ROLLED _Pragma("unroll 1")
#else
#define GALAPAGOS_UNROLL
#define GALAPAGOS_ROLLED
#endif
