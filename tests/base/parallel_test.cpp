#include "base/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace galapagos {
namespace {

TEST(ParallelFor, CoversTheRangeOnceForAnyThreadCount) {
    for (const int threads : {1, 2, 5}) {
        set_thread_count(threads);
        for (const std::int64_t n : {0, 1, 7, 1000}) {
            std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
            parallel_for(0, n, 3, [&](std::int64_t first, std::int64_t last) {
                for (auto i = first; i < last; ++i) ++visits[static_cast<std::size_t>(i)];
            });
            for (const auto& count : visits) EXPECT_EQ(count, 1);
        }
    }
}

TEST(ParallelFor, PassesOnTheFirstException) {
    set_thread_count(3);
    EXPECT_THROW(parallel_for(0, 100, 1,
                              [](std::int64_t first, std::int64_t) {
                                  if (first == 42) throw std::runtime_error("body");
                              }),
                 std::runtime_error);
    std::atomic<int> ran = 0;
    parallel_for(0, 10, 1, [&](auto, auto) { ++ran; });
    EXPECT_EQ(ran, 10) << "the pool must work on after an exception";
}

TEST(ParallelFor, ALoopInsideALoopRunsSerially) {
    set_thread_count(4);
    std::atomic<int> ran = 0;
    parallel_for(0, 4, 1, [&](auto, auto) { parallel_for(0, 5, 1, [&](auto, auto) { ++ran; }); });
    EXPECT_EQ(ran, 20);
}

}  // namespace
}  // namespace galapagos
