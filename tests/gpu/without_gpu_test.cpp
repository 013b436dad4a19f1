// A CUDA build on a machine without a GPU: it says why there is none, and every call into a library
// ends in an error that a user can read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/cuda/memory.hpp"
#include "comm/cuda/stream.hpp"
#include "comm/device_choice.hpp"

namespace galapagos {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

template <typename Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

class WithoutGpu : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!visible_devices().devices.empty()) GTEST_SKIP() << "this machine has a GPU";
    }
};

TEST_F(WithoutGpu, ComputesOnTheCpuAndSaysWhy) {
    const auto choice = choose_device(Communicator(), visible_devices());
    EXPECT_FALSE(choice.device);
    EXPECT_THAT(choice.why_none, AnyOf(HasSubstr("cudaErrorInsufficientDriver"),
                                       HasSubstr("cudaErrorNoDevice"), HasSubstr("shows no GPU")));
}

TEST_F(WithoutGpu, CallsOfCudaSayWhatFailedWhyAndWhatToTry) {
    EXPECT_THAT(error_of([] { cuda::Stream(); }),
                AllOf(HasSubstr("can't make a stream on the GPU (cudaError"),
                      HasSubstr(") use a machine with a GPU")));
    EXPECT_THAT(error_of([] { cuda::Event(); }), HasSubstr("can't make an event on the GPU"));
    EXPECT_THAT(error_of([] { cuda::PinnedBuffer(std::size_t{1} << 20); }),
                HasSubstr("can't pin 0.00 GiB of host memory"));
}

TEST_F(WithoutGpu, CuBlasHasReadableErrors) {
    cublasHandle_t handle = nullptr;
    EXPECT_THAT(error_of([&] { cuda::check(cublasCreate(&handle), "cuBLAS can't start"); }),
                HasSubstr("cuBLAS can't start (CUBLAS_STATUS_"));
}

TEST_F(WithoutGpu, MemoryThatCanNotBeHadIsListed) {
    cuda::MemoryPlan plan;
    plan.add("sources", std::size_t{3} << 30);
    plan.add("candidate", std::size_t{1} << 30);
    EXPECT_THAT(error_of([&] { cuda::DeviceArena arena(plan); }),
                HasSubstr("can't reserve 4.00 GiB on the GPU: sources 3.00 GiB, candidate 1.00 "
                          "GiB (cudaError"));
}

TEST(CudaErrors, SuccessIsNoError) {
    EXPECT_NO_THROW(cuda::check(cudaSuccess, "x"));
    EXPECT_NO_THROW(cuda::check(CUBLAS_STATUS_SUCCESS, "x"));
    EXPECT_NO_THROW(cuda::check(ncclSuccess, "x"));
}

TEST(CudaErrors, OnlyMemoryThatRanOutIsNoFaultOfTheMachine) {
    const auto is_fault = [](auto code) {
        try {
            cuda::check(code, "x");
        } catch (const MachineError&) {
            return true;
        } catch (const Error&) {
        }
        return false;
    };
    EXPECT_FALSE(is_fault(cudaErrorMemoryAllocation));
    EXPECT_FALSE(is_fault(CUBLAS_STATUS_ALLOC_FAILED));
    EXPECT_TRUE(is_fault(cudaErrorIllegalAddress));
    EXPECT_TRUE(is_fault(CUBLAS_STATUS_EXECUTION_FAILED));
    EXPECT_TRUE(is_fault(ncclRemoteError));
}

TEST(CudaErrors, OutOfMemorySaysWhatToTry) {
    EXPECT_THAT(error_of([] { cuda::check(cudaErrorMemoryAllocation, "no room"); }),
                AllOf(HasSubstr("no room (cudaErrorMemoryAllocation: "),
                      HasSubstr("use more tensor-parallel ranks")));
    EXPECT_THAT(error_of([] { cuda::check(ncclRemoteError, "the sum failed"); }),
                AllOf(HasSubstr("the sum failed (NCCL: "), HasSubstr("another rank failed")));
}

TEST(MemoryPlan, PartsBeginOnAlignedOffsetsAndAreListedByName) {
    cuda::MemoryPlan plan;
    EXPECT_EQ(plan.add("sources", 1000), 0u);
    EXPECT_EQ(plan.add("KV cache", 0x20000000), 1024u);
    EXPECT_EQ(plan.add("sources", 0x10000000), 1024u + 0x20000000);
    EXPECT_EQ(plan.bytes(), 1024u + 0x30000000);
    EXPECT_EQ(plan.text(), "sources 0.25 GiB, KV cache 0.50 GiB");
}

}  // namespace
}  // namespace galapagos
