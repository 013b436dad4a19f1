#include "comm/lockstep.hpp"

#include <gmock/gmock.h>

#include <new>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class LockstepTest : public ::testing::Test {
  protected:
    bool is_last() const { return group_.rank() == group_.size() - 1; }
    std::int64_t sum_of_ranks() const { return group_.size() * (group_.size() - 1) / 2; }

    /// Adds up the ranks' numbers, and those twice as large.
    std::vector<std::int64_t> add_up_ranks() {
        std::vector<std::int64_t> numbers(2);
        lockstep_.add_up(numbers, [&] { numbers = {group_.rank(), 2 * group_.rank()}; });
        return numbers;
    }
    /// After whatever failed, all are here and count as before.
    void expect_all_go_on() {
        lockstep_.run([&] {
            EXPECT_EQ(add_up_ranks(), (std::vector{sum_of_ranks(), 2 * sum_of_ranks()}));
        });
    }

    TensorGroup group_{Communicator::world()};
    Lockstep lockstep_{group_};
};

TEST_F(LockstepTest, AddsUpAndFindsTheLargest) {
    expect_all_go_on();
    lockstep_.run([&] {
        const std::uint32_t largest =
            lockstep_.largest([&] { return static_cast<std::uint32_t>(group_.rank()); });
        EXPECT_EQ(largest, static_cast<std::uint32_t>(group_.size() - 1));
    });
}

TEST_F(LockstepTest, WhatFailsWhileOneRankCountsFailsOnAll) {
    const auto steps = [&] {
        add_up_ranks();
        std::vector<std::int64_t> numbers(1);
        lockstep_.add_up(numbers, [&] {
            if (is_last()) throw Error("it can't count", "a test");
        });
        FAIL();
    };
    EXPECT_THAT([&] { lockstep_.run(steps); },
                ThrowsMessage<Error>(HasSubstr("it can't count (a test)")));
    expect_all_go_on();
}

/// The others are at their next exchange or at the end.
TEST_F(LockstepTest, WhatFailsBetweenExchangesFailsOnAll) {
    for (const int exchanges_left : {2, 1, 0}) {
        const auto steps = [&] {
            add_up_ranks();
            if (is_last()) throw MachineError("a GPU fell over");
            for (int i = 0; i < exchanges_left; ++i) {
                lockstep_.largest([] { return 0u; });
                ADD_FAILURE();
            }
        };
        EXPECT_THROW(lockstep_.run(steps), MachineError);
        expect_all_go_on();
    }
}

TEST_F(LockstepTest, MemoryThatRunsOutOnOneRankFailsAll) {
    EXPECT_ANY_THROW(lockstep_.run([&] {
        if (is_last()) throw std::bad_alloc();
        add_up_ranks();
    }));
    expect_all_go_on();
}

}  // namespace
}  // namespace galapagos
