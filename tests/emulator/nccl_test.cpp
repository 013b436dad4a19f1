// What the emulated NCCL takes of a rank by itself; with others it is tried by tests/gpu.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <nccl.h>

namespace galapagos::emulator {
namespace {

TEST(EmulatedNccl, TakesNoCallBeforeTheLastOneIsDone) {
    ncclUniqueId id;
    ASSERT_EQ(ncclGetUniqueId(&id), ncclSuccess);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclComm_t alone = nullptr;
    ASSERT_EQ(ncclCommInitRankConfig(&alone, 1, id, 0, &config), ncclSuccess);
    void* memory = nullptr;
    ASSERT_EQ(ncclMemAlloc(&memory, sizeof(float)), ncclSuccess);
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, 0), cudaSuccess);

    const auto gather = [&] { return ncclAllGather(memory, memory, 1, ncclFloat, alone, stream); };
    EXPECT_EQ(gather(), ncclInProgress);
    EXPECT_EQ(gather(), ncclInvalidUsage);
    ncclResult_t state = ncclSuccess;
    EXPECT_EQ(ncclCommGetAsyncError(alone, &state), ncclSuccess);
    EXPECT_EQ(state, ncclInProgress);
    EXPECT_EQ(ncclCommGetAsyncError(alone, &state), ncclSuccess);
    EXPECT_EQ(state, ncclSuccess);
    EXPECT_EQ(gather(), ncclInProgress);

    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(ncclCommAbort(alone), ncclSuccess);
    EXPECT_EQ(ncclMemFree(memory), ncclSuccess);
}

}  // namespace
}  // namespace galapagos::emulator
