// The GPU's forward kernels without a GPU: the code that their threads run, run by a loop in place
// of the threads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "model/cuda/block.hpp"
#include "model/cuda/elements.hpp"
#include "model/cuda/tile_products.hpp"

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

/// What a thread holds of a product of tiles.
struct TileValues {
    cuda::TileA a;
    cuda::TileB b;
    cuda::TileSums sums;
};

/// What a warp's matrix unit does: the tiles put together from what its threads hold, as the
/// documentation of mma.m16n8k16 deals them out, and multiplied.
class WarpProduct {
  public:
    explicit WarpProduct(const TileValues* threads) {
        const auto half = [](std::uint32_t word, int which) {
            return cuda::float_of(which == 0 ? word << 16 : word & 0xFFFF0000u);
        };
        float a[16][16], b[16][8];
        for (int thread = 0; thread < cuda::warp_threads; ++thread) {
            const TileValues& held = threads[thread];
            const int line = thread / 4, pair = thread % 4 * 2;
            for (int i = 0; i < 2; ++i) {
                for (int word = 0; word < 4; ++word)
                    a[line + word % 2 * 8][pair + word / 2 * 8 + i] = half(held.a.words[word], i);
                for (int word = 0; word < 2; ++word)
                    b[pair + word * 8 + i][line] = half(held.b.words[word], i);
                for (int row = 0; row < 2; ++row)
                    sums_[line + 8 * row][pair + i] = held.sums.of[2 * row + i];
            }
        }
        for (int row = 0; row < 16; ++row)
            for (int column = 0; column < 8; ++column)
                for (int k = 0; k < 16; ++k) sums_[row][column] += a[row][k] * b[k][column];
    }

    void give(int thread, cuda::TileSums& sums) const {
        for (int i = 0; i < 4; ++i)
            sums.of[i] = sums_[thread % 32 / 4 + i / 2 * 8][thread % 4 * 2 + i % 2];
    }

  private:
    float sums_[16][8];
};

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

    template <typename Phase>
    void alone(Phase&& phase) const {
        each(phase);
    }

    template <typename Pair, typename Combine>
    void across_quads(Own<Pair>& own, Combine&& combine) const {
        for (int distance = 1; distance < cuda::quad_threads; distance *= 2) {
            Own<Pair> before = own;
            for (int thread = 0; thread < threads_; ++thread)
                for (std::size_t i = 0; i < std::size(own[thread].of); ++i)
                    own[thread].of[i] =
                        combine(before[thread].of[i], before[thread ^ distance].of[i]);
        }
    }

    template <typename Operands>
    void multiply_tiles(Operands&& of) const {
        for (int first = 0; first < threads_; first += cuda::warp_threads) {
            std::array<TileValues, cuda::warp_threads> held;
            for (int lane = 0; lane < cuda::warp_threads; ++lane) {
                const cuda::TileOperands tiles = of(first + lane);
                held[static_cast<std::size_t>(lane)] = {tiles.a, tiles.b, tiles.sums};
            }
            const WarpProduct product(held.data());
            for (int lane = 0; lane < cuda::warp_threads; ++lane)
                product.give(lane, of(first + lane).sums);
        }
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
    constexpr std::size_t most_shared = std::size_t{48} << 10;  // without asking a GPU for more
    EXPECT_LE(static_cast<std::size_t>(job.shared_floats()) * sizeof(float), most_shared);
    for (std::int64_t index = 0; index < job.blocks(); ++index) {
        std::vector<float> shared(static_cast<std::size_t>(job.shared_floats()),
                                  std::numeric_limits<float>::quiet_NaN());
        run_block(job, HostBlock(index, Job::threads, order, shared));
    }
}

inline constexpr std::array thread_orders{ThreadOrder::ascending, ThreadOrder::descending,
                                          ThreadOrder::interleaved};

}  // namespace galapagos::test
