#include "comm/cuda/errors.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace galapagos::cuda {
namespace {

constexpr const char* less_memory =
    "use more tensor-parallel ranks, fewer sources or a smaller dtype; galapagos plan says what "
    "fits";
constexpr const char* other_build =
    "build for this GPU: cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES=native";
constexpr const char* find_a_gpu = "use a machine with a GPU and a driver for this CUDA version";

const char* what_to_try(cudaError_t code) {
    switch (code) {
        case cudaErrorMemoryAllocation:
            return less_memory;
        case cudaErrorInsufficientDriver:
        case cudaErrorNoDevice:
            return find_a_gpu;
        case cudaErrorNoKernelImageForDevice:
        case cudaErrorUnsupportedPtxVersion:
            return other_build;
        case cudaErrorDevicesUnavailable:
            return "does another process have the GPU in exclusive mode? nvidia-smi shows it";
        case cudaErrorECCUncorrectable:
        case cudaErrorHardwareStackError:
            return "the GPU is at fault: resume on another node";
        case cudaErrorIllegalAddress:
        case cudaErrorMisalignedAddress:
        case cudaErrorLaunchFailure:
            return "this process can't use the GPU any more: resume the run";
        default:
            return "";
    }
}

const char* what_to_try(cublasStatus_t code) {
    switch (code) {
        case CUBLAS_STATUS_ALLOC_FAILED:
            return less_memory;
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return find_a_gpu;
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return other_build;
        default:
            return "";
    }
}

const char* what_to_try(ncclResult_t code) {
    switch (code) {
        case ncclRemoteError:
            return "another rank failed: the first error in the log is the cause";
        case ncclInvalidUsage:
            return "do two ranks use one GPU? docs/gpu.md says how they may; NCCL_DEBUG=WARN says "
                   "more";
        case ncclSystemError:
            return "NCCL_SOCKET_IFNAME names the network interface to use, --shm-size gives a "
                   "container more of /dev/shm; NCCL_DEBUG=INFO says more";
        default:
            return "NCCL_DEBUG=INFO says more";
    }
}

void fail(bool out_of_memory, std::string_view what, const std::string& why, const char* hint) {
    if (out_of_memory) throw Error(what, why, hint);
    throw MachineError(what, why, hint);
}

}  // namespace

void check(cudaError_t code, std::string_view what) {
    if (code == cudaSuccess) return;
    cudaGetLastError();  // or the next kernel's start would be taken for what failed
    fail(code == cudaErrorMemoryAllocation, what,
         fmt::format("{}: {}", cudaGetErrorName(code), cudaGetErrorString(code)),
         what_to_try(code));
}

void check(cublasStatus_t code, std::string_view what) {
    if (code == CUBLAS_STATUS_SUCCESS) return;
    fail(code == CUBLAS_STATUS_ALLOC_FAILED, what,
         fmt::format("{}: {}", cublasGetStatusName(code), cublasGetStatusString(code)),
         what_to_try(code));
}

void check(ncclResult_t code, std::string_view what) {
    if (code == ncclSuccess) return;
    std::string why = fmt::format("NCCL: {}", ncclGetErrorString(code));
    if (const std::string_view last = ncclGetLastError(nullptr); !last.empty())
        why += fmt::format("; {}", last);
    if (code == ncclRemoteError) throw PeerError(what, why, what_to_try(code));
    throw MachineError(what, why, what_to_try(code));
}

}  // namespace galapagos::cuda
