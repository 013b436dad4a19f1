// The GPU's forward kernels without a GPU: the code that their threads run, run by a loop in place
// of the threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "model/cuda/block.hpp"

namespace galapagos::test {

inline constexpr int most_threads = 256;

/// In which order the loop takes the threads of a phase. On a GPU there is none, so that every
/// order must give the same bits.
enum class ThreadOrder { ascending, descending, interleaved };

inline std::array<int, most_threads> thread_numbers(ThreadOrder order, int threads) {
    std::array<int, most_threads> numbers{};
    for (int i = 0; i < threads; ++i)
        numbers[static_cast<std::size_t>(i)] = order == ThreadOrder::ascending ? i
                                               : order == ThreadOrder::descending
                                                   ? threads - 1 - i
                                                   : i * 37 % threads;
    return numbers;
}

/// The Block of block.hpp on the host.
class HostBlock {
  public:
    template <typename Value>
    class Own {
      public:
        Value& operator[](int thread) { return values_[static_cast<std::size_t>(thread)]; }

      private:
        std::vector<Value> values_ = std::vector<Value>(most_threads);
    };

    HostBlock(std::int64_t index, int threads, ThreadOrder order, std::vector<float>& shared)
        : index_(index),
          threads_(threads),
          numbers_(thread_numbers(order, threads)),
          shared_(shared) {}

    std::int64_t index() const { return index_; }
    float* shared() const { return shared_.data(); }

    template <typename Phase>
    void each(Phase&& phase) const {
        for (int i = 0; i < threads_; ++i) phase(numbers_[static_cast<std::size_t>(i)]);
    }

  private:
    std::int64_t index_;
    int threads_;
    std::array<int, most_threads> numbers_;
    std::vector<float>& shared_;
};

/// A launch, block by block. Shared memory starts as rubbish, as on a GPU, and is exactly as long
/// as the job says.
template <typename Job>
void run_on_host(const Job& job, ThreadOrder order = ThreadOrder::ascending) {
    static_assert(Job::threads <= most_threads);
    for (std::int64_t index = 0; index < job.blocks(); ++index) {
        std::vector<float> shared(static_cast<std::size_t>(job.shared_floats()),
                                  std::numeric_limits<float>::quiet_NaN());
        run_block(job, HostBlock(index, Job::threads, order, shared));
    }
}

inline constexpr std::array thread_orders{ThreadOrder::ascending, ThreadOrder::descending,
                                          ThreadOrder::interleaved};

}  // namespace galapagos::test
