// Failures of CUDA, cuBLAS and NCCL as errors that a user can read.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <string_view>

namespace galapagos::cuda {

/// Unless a call succeeded, these throw "`what` (the library's name and text for the code) what to
/// try": an Error where memory ran out, which another candidate may not, else a MachineError.
/// `what` says what failed: "can't copy to the GPU".
void check(cudaError_t code, std::string_view what);
void check(cublasStatus_t code, std::string_view what);
/// Not for codes that may be ncclInProgress: see nccl_communicator.hpp.
void check(ncclResult_t code, std::string_view what);

}  // namespace galapagos::cuda
