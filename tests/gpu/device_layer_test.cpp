// Streams, events and memory on a real GPU.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/error.hpp"
#include "comm/cuda/bounce_buffers.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/cuda/memory.hpp"
#include "comm/cuda/stream.hpp"
#include "gpu/gpu_test.hpp"

namespace galapagos {
namespace {

using DeviceLayer = test::GpuTest;

TEST_F(DeviceLayer, BytesComeBackFromTheArenaInTheOrderOfTheStreams) {
    constexpr std::size_t bytes = 1 << 20;
    cuda::MemoryPlan plan;
    plan.add("padding", 100);
    const std::size_t at = plan.add("data", bytes);
    const cuda::DeviceArena arena(plan);
    const cuda::PinnedBuffer there(bytes), back(bytes);
    std::memset(there.data(), 0x5A, bytes);
    std::memset(back.data(), 0, bytes);

    const cuda::Stream first, second;
    const cuda::Event begin(cuda::Event::Timing::on), end(cuda::Event::Timing::on);
    begin.record(first);
    cuda::check(
        cudaMemcpyAsync(arena.at(at), there.data(), bytes, cudaMemcpyHostToDevice, first.handle()),
        "can't copy to the GPU");
    end.record(first);
    second.wait_for(end);
    cuda::check(
        cudaMemcpyAsync(back.data(), arena.at(at), bytes, cudaMemcpyDeviceToHost, second.handle()),
        "can't copy from the GPU");
    second.synchronize();
    EXPECT_TRUE(second.idle());
    EXPECT_TRUE(end.reached());
    EXPECT_GE(end.seconds_since(begin), 0);
    EXPECT_EQ(std::memcmp(there.data(), back.data(), bytes), 0);
}

/// Where the GPU tells three priorities apart, as all have since Volta.
TEST_F(DeviceLayer, StreamsGoFirstByTheirPriority) {
    const auto number = [](cuda::Stream::Priority priority) {
        const cuda::Stream stream(priority);
        int found = 0;
        cuda::check(cudaStreamGetPriority(stream.handle(), &found), "a stream has no priority");
        return found;
    };
    const int low = number(cuda::Stream::Priority::low);
    const int middle = number(cuda::Stream::Priority::middle);
    EXPECT_LT(middle, low);
    EXPECT_LT(number(cuda::Stream::Priority::high), middle);
}

/// More pieces than there are buffers, and more copies than that, none waited for.
TEST_F(DeviceLayer, BytesGoThroughBounceBuffersPieceByPiece) {
    constexpr std::size_t piece = 1000, stretch = 7 * piece + 123, copies = 3;
    std::vector<std::uint8_t> wanted(copies * stretch), found(wanted.size());
    std::iota(wanted.begin(), wanted.end(), 1);
    cuda::MemoryPlan plan;
    plan.add("data", wanted.size());
    const cuda::DeviceArena arena(plan);
    const cuda::Stream stream;
    cuda::BounceBuffers buffers(piece);
    std::vector<std::size_t> sizes;
    for (std::size_t copy = 0; copy < copies; ++copy)
        buffers.copy_in(
            stream, stretch,
            [&](std::size_t begin, std::size_t end, std::byte* to) {
                std::memcpy(to, &wanted[copy * stretch + begin], end - begin);
                sizes.push_back(end - begin);
            },
            arena.at(copy * stretch));
    cuda::check(cudaMemcpyAsync(found.data(), arena.at(0), found.size(), cudaMemcpyDeviceToHost,
                                stream.handle()),
                "can't copy from the GPU");
    stream.synchronize();
    EXPECT_EQ(found, wanted);
    EXPECT_EQ(sizes.size(), copies * 8);
    EXPECT_EQ(*std::max_element(sizes.begin(), sizes.end()), piece);
}

TEST_F(DeviceLayer, WhatDoesNotFitIsRefusedAndLeavesTheGpuUsable) {
    cuda::MemoryPlan plan;
    plan.add("sources", std::size_t{1} << 50);
    try {
        const cuda::DeviceArena arena(plan);
        FAIL() << "a petabyte was to be had";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("GiB are free (cudaErrorMemoryAllocation"));
    }
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "a kernel would seem not to start";
    cuda::MemoryPlan small;
    small.add("candidate", 1 << 20);
    EXPECT_NO_THROW(cuda::DeviceArena{small});
}

}  // namespace
}  // namespace galapagos
