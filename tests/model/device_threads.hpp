// The GPU's forward kernels by real threads: each runs a kernel's function for itself, as on a GPU,
// with its own variables, and waits at real barriers. What the loop of device_twin.hpp can't see
// shows here: a variable that one thread sets for another, or a barrier that is missing.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

#include "model/device_twin.hpp"

namespace galapagos::test {

/// What the threads of a block have in common.
struct ThreadedBlock {
    ThreadedBlock(int threads, int shared_floats)
        : barrier(threads),
          shared(static_cast<std::size_t>(shared_floats), std::numeric_limits<float>::quiet_NaN()),
          floats(static_cast<std::size_t>(threads)),
          tiles(static_cast<std::size_t>(threads)) {}

    std::barrier<> barrier;
    std::vector<float> shared;
    std::vector<float> floats;      ///< under way between the threads of a quad
    std::vector<TileValues> tiles;  ///< on the way to a warp's matrix unit
};

/// The Block of block.hpp as one of those threads sees it.
class ThreadOfBlock {
  public:
    template <typename Value>
    class Own {
      public:
        Value& operator[](int) { return value_; }

      private:
        Value value_{};
    };

    ThreadOfBlock(ThreadedBlock& block, std::int64_t index, int thread)
        : block_(block), index_(index), thread_(thread) {}

    std::int64_t index() const { return index_; }
    float* shared() const { return block_.shared.data(); }

    template <typename Phase>
    void each(Phase&& phase) const {
        phase(thread_);
        block_.barrier.arrive_and_wait();
    }
    template <typename Phase>
    void alone(Phase&& phase) const {
        phase(thread_);
    }

    template <typename Pair, typename Combine>
    void across_quads(Own<Pair>& own, Combine&& combine) const {
        for (float& value : own[thread_].of)
            for (int distance = 1; distance < cuda::quad_threads; distance *= 2) {
                block_.floats[static_cast<std::size_t>(thread_)] = value;
                block_.barrier.arrive_and_wait();
                value = combine(value, block_.floats[static_cast<std::size_t>(thread_ ^ distance)]);
                block_.barrier.arrive_and_wait();
            }
    }

    template <typename Operands>
    void multiply_tiles(Operands&& of) const {
        const cuda::TileOperands tiles = of(thread_);
        block_.tiles[static_cast<std::size_t>(thread_)] = {tiles.a, tiles.b, tiles.sums};
        block_.barrier.arrive_and_wait();
        const int first = thread_ / cuda::warp_threads * cuda::warp_threads;
        WarpProduct(block_.tiles.data() + first).give(thread_, tiles.sums);
        block_.barrier.arrive_and_wait();
    }

  private:
    ThreadedBlock& block_;
    std::int64_t index_;
    int thread_;
};

/// A launch, block by block, each by as many threads as it says.
template <typename Job>
void run_on_threads(const Job& job) {
    for (std::int64_t index = 0; index < job.blocks(); ++index) {
        ThreadedBlock block(Job::threads, job.shared_floats());
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < Job::threads; ++thread)
            threads.emplace_back(
                [&, thread] { run_block(job, ThreadOfBlock(block, index, thread)); });
    }
}

}  // namespace galapagos::test
