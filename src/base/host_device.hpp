// Code that the GPU runs and that the host can run too, so that tests without a GPU can prove it.
#pragma once

#if defined(__CUDACC__)
#define GALAPAGOS_HOST_DEVICE __host__ __device__
#else
#define GALAPAGOS_HOST_DEVICE
#endif
