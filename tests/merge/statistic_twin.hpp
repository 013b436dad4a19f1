// The GPU's kernels of statistics without a GPU: the code that their blocks run
// (statistic_blocks.hpp), with a loop or the host's threads in place of the GPU's.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

#include "comm/host_pieces.hpp"
#include "merge/cuda/device_passes.hpp"
#include "merge/cuda/resident_tensors.hpp"
#include "merge/cuda/statistic_blocks.hpp"

namespace galapagos::test {

/// The threads of a block one after the other, in another order in each step.
class LoopBlock {
  public:
    static constexpr int threads = 256;

    LoopBlock(std::int64_t number, std::int64_t blocks) : number_(number), blocks_(blocks) {}

    std::int64_t number() const { return number_; }
    std::int64_t blocks() const { return blocks_; }
    template <typename Step>
    void each(const Step& step) const {
        order_ = 1664525 * order_ + 1013904223;
        const std::uint32_t start = order_ >> 8, stride = order_ >> 16 | 1;
        for (std::uint32_t i = 0; i < threads; ++i)
            step(static_cast<int>((start + i * stride) % threads));
    }

  private:
    std::int64_t number_, blocks_;
    mutable std::uint32_t order_ = 1;
};

/// One of the block's threads, side by side with the others as on the GPU.
class ThreadBlock {
  public:
    static constexpr int threads = 4;

    ThreadBlock(std::int64_t number, std::int64_t blocks, int thread, std::barrier<>& barrier)
        : number_(number), blocks_(blocks), thread_(thread), barrier_(&barrier) {}

    std::int64_t number() const { return number_; }
    std::int64_t blocks() const { return blocks_; }
    template <typename Step>
    void each(const Step& step) const {
        step(thread_);
        barrier_->arrive_and_wait();
    }

  private:
    std::int64_t number_, blocks_;
    int thread_;
    std::barrier<>* barrier_;
};

/// What stands for a device's memory, filled with what nobody expects there.
inline std::shared_ptr<std::byte[]> twin_memory(std::size_t bytes) {
    constexpr std::align_val_t alignment{cuda::memory_alignment};
    auto* memory = static_cast<std::byte*>(::operator new(bytes, alignment));
    std::memset(memory, 0xA5, bytes);
    return {memory, [](std::byte* at) { ::operator delete(at, alignment); }};
}

/// Pieces that end anywhere, through memory that is used again.
inline StreamIn twin_stream_in() {
    return [piece = std::vector<std::byte>(1000, std::byte{0xA5})](
               std::size_t bytes, const FillPiece& fill, std::byte* to) mutable {
        for (std::size_t at = 0; at < bytes; at += piece.size()) {
            const std::size_t end = std::min(bytes, at + piece.size());
            fill(at, end, piece.data());
            std::memcpy(to + at, piece.data(), end - at);
        }
    };
}

class StatisticTwin : public cuda::StatisticDevice {
  public:
    enum class Threads { loop, real };
    /// Takes tensors from where these are, or from where they are mapped.
    explicit StatisticTwin(const cuda::ResidentTensors* tensors = nullptr,
                           Threads threads = Threads::loop)
        : tensors_(tensors), threads_(threads) {}

    const std::byte* resident(const std::byte* mapped) const override {
        return tensors_ == nullptr ? mapped : tensors_->find(mapped);
    }
    void copy_in(const void* from, std::size_t bytes, std::byte* to) override {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }
    void copy_out(const std::byte* from, std::size_t bytes, void* to) override {
        if (bytes > 0) std::memcpy(to, from, bytes);
    }
    void set_to_zero(std::byte* at, std::size_t bytes) override {
        if (bytes > 0) std::memset(at, 0, bytes);
    }
    void launch(const cuda::StatisticLaunch& launch) override {
        const auto run_pass = [&]<cuda::StatisticPass pass>() { run<pass>(launch); };
        ASSERT_TRUE(cuda::with_delta_pass(launch.pass, run_pass) ||
                    cuda::with_job_pass(launch.pass, run_pass));
    }

  private:
    template <cuda::StatisticPass pass>
    void run(const cuda::StatisticLaunch& launch) const {
        const std::int64_t at_once = threads_ == Threads::loop ? 3 : 1;
        const std::int64_t most = launch.most_blocks > 0 ? launch.most_blocks : at_once;
        const std::int64_t blocks = std::min({launch.items, most, at_once});
        for (std::int64_t number = 0; number < blocks; ++number) {
            const auto memory = std::make_unique<cuda::BlockMemory<pass>>();
            if (threads_ == Threads::loop) {
                cuda::run_block<pass>(LoopBlock(number, blocks), launch, *memory);
                continue;
            }
            std::barrier barrier(ThreadBlock::threads);
            std::vector<std::thread> threads;
            for (int thread = 0; thread < ThreadBlock::threads; ++thread)
                threads.emplace_back([&, thread] {
                    cuda::run_block<pass>(ThreadBlock(number, blocks, thread, barrier), launch,
                                          *memory);
                });
            for (std::thread& thread : threads) thread.join();
        }
    }

    const cuda::ResidentTensors* tensors_;
    Threads threads_;
};

}  // namespace galapagos::test
