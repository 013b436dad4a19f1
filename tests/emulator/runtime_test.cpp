// Calls of CUDA on the emulated device: work waits until it is waited for.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace galapagos::emulator {
namespace {

class Runtime : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(cudaMalloc(&device_, bytes), cudaSuccess);
        void* host = nullptr;
        ASSERT_EQ(cudaMallocHost(&host, bytes), cudaSuccess);
        pinned_ = static_cast<std::uint32_t*>(host);
        for (cudaStream_t* stream : {&first_, &second_})
            ASSERT_EQ(cudaStreamCreateWithPriority(stream, cudaStreamNonBlocking, 0), cudaSuccess);
        ASSERT_EQ(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), cudaSuccess);
    }
    void TearDown() override {
        EXPECT_EQ(cudaFree(device_), cudaSuccess);
        EXPECT_EQ(cudaFreeHost(pinned_), cudaSuccess);
        EXPECT_EQ(cudaEventDestroy(event_), cudaSuccess);
    }

    void send(std::uint32_t value, cudaStream_t stream) {
        *pinned_ = value;
        ASSERT_EQ(cudaMemcpyAsync(device_, pinned_, bytes, cudaMemcpyHostToDevice, stream),
                  cudaSuccess);
    }
    std::uint32_t on_device() {
        std::uint32_t value = 0;
        EXPECT_EQ(cudaMemcpy(&value, device_, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
        return value;
    }

    static constexpr std::size_t bytes = 4;
    static constexpr std::uint32_t poison = 0xFFFFFFFF;
    void* device_ = nullptr;
    std::uint32_t* pinned_ = nullptr;
    cudaStream_t first_ = nullptr, second_ = nullptr;
    cudaEvent_t event_ = nullptr;
};

TEST_F(Runtime, CopiesReadPinnedMemoryWhenTheyRun) {
    send(1, first_);
    *pinned_ = 2;  // too early
    EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
    EXPECT_EQ(on_device(), 2u);
}

TEST_F(Runtime, WhatReadsTooEarlyFindsWhatWasThere) {
    send(1, first_);
    EXPECT_EQ(on_device(), poison);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(on_device(), 1u);
}

TEST_F(Runtime, StreamsWaitForEachOtherByEventsAlone) {
    send(5, first_);
    ASSERT_EQ(cudaMemsetAsync(device_, 0, bytes, second_), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
    EXPECT_EQ(on_device(), 0u);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(on_device(), 5u);

    send(6, first_);
    ASSERT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(second_, event_, 0), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
    EXPECT_EQ(on_device(), 6u);
}

TEST_F(Runtime, WhoeverAsksAgainAndAgainGetsOn) {
    send(7, first_);
    ASSERT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
    for (int i = 0; i < 20; ++i) send(7, first_);
    int asked = 0;
    while (cudaEventQuery(event_) == cudaErrorNotReady && asked < 10) ++asked;
    EXPECT_LT(asked, 10);
    EXPECT_EQ(cudaStreamQuery(first_), cudaErrorNotReady);
    while (cudaStreamQuery(first_) == cudaErrorNotReady && asked < 20) ++asked;
    EXPECT_LT(asked, 20);
}

TEST_F(Runtime, ACopyFromPageableMemoryMayArriveLaterForOtherStreams) {
    const std::uint32_t value = 8;
    ASSERT_EQ(cudaMemcpy(device_, &value, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    ASSERT_EQ(cudaMemcpyAsync(pinned_, device_, bytes, cudaMemcpyDeviceToHost, first_),
              cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
    EXPECT_EQ(*pinned_, poison);
    EXPECT_EQ(on_device(), 8u);
}

TEST_F(Runtime, RecordedWorkRunsWhenItIsLaunchedAndReadsWhatLiesThereThen) {
    *pinned_ = 1;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t runnable = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeRelaxed), cudaSuccess);
    send(1, first_);
    EXPECT_EQ(cudaStreamSynchronize(first_), cudaErrorStreamCaptureUnsupported);
    ASSERT_EQ(cudaStreamEndCapture(first_, &graph), cudaSuccess);
    ASSERT_EQ(cudaGraphInstantiate(&runnable, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
    EXPECT_EQ(on_device(), poison);
    for (const std::uint32_t value : {2, 3}) {
        *pinned_ = value;
        ASSERT_EQ(cudaGraphLaunch(runnable, second_), cudaSuccess);
        ASSERT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
        EXPECT_EQ(on_device(), value);
    }
    EXPECT_EQ(cudaGraphExecDestroy(runnable), cudaSuccess);
}

TEST_F(Runtime, CallsThatCanNotBeRightAreRefused) {
    std::uint32_t host = 0;
    EXPECT_EQ(cudaMemcpy(&host, device_, 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(device_, device_, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    EXPECT_EQ(cudaMemcpy(&host, &host, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
    EXPECT_EQ(cudaFree(pinned_), cudaErrorInvalidValue);
    EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    void* much = nullptr;
    EXPECT_EQ(cudaMalloc(&much, std::size_t{1} << 40), cudaErrorMemoryAllocation);
}

TEST_F(Runtime, TheHostCanNotTouchTheDevicesMemory) {
    EXPECT_DEATH(*static_cast<volatile std::uint32_t*>(device_) = 1, "");
}

}  // namespace
}  // namespace galapagos::emulator
