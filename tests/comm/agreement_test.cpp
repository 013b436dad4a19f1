#include "comm/agreement.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <new>
#include <string>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::StrEq;
using ::testing::ThrowsMessage;

class Agreement : public ::testing::Test {
  protected:
    /// Fails on the last rank alone.
    template <typename Failure>
    auto failing(Failure failure) {
        return [this, failure] {
            agree(world_, [&] {
                if (world_.rank() == world_.size() - 1) throw failure;
            });
        };
    }

    Communicator world_ = Communicator::world();
};

TEST_F(Agreement, AStepThatSucceedsEverywhereSucceeds) {
    int steps = 0;
    agree(world_, [&] { ++steps; });
    EXPECT_EQ(steps, 1);
}

TEST_F(Agreement, WhatFailsOnOneRankFailsOnAll) {
    EXPECT_THAT(failing(Error("it failed", "a test")),
                ThrowsMessage<Error>(StrEq("it failed (a test)")));
}

TEST_F(Agreement, AFaultOfTheMachineIsOneOnAllRanks) {
    EXPECT_THROW(failing(MachineError("a GPU fell over"))(), MachineError);
    EXPECT_THAT(failing(MachineError("a GPU fell over")),
                ThrowsMessage<Error>(StrEq("a GPU fell over")));
}

TEST_F(Agreement, MemoryThatRunsOutOnOneRankFailsAll) {
    EXPECT_ANY_THROW(failing(std::bad_alloc())());
    agree(world_, [] {});  // all are here
}

TEST_F(Agreement, TheCauseIsHeardAndNotWhatFollowsFromIt) {
    const auto step = [this] {
        agree(world_, [this] {
            if (world_.rank() == world_.size() - 1) throw MachineError("a GPU fell over");
            throw PeerError("others did not answer");
        });
    };
    EXPECT_THAT(step, ThrowsMessage<MachineError>(StrEq("a GPU fell over")));
    EXPECT_THROW(failing(PeerError("others did not answer"))(), PeerError);
}

TEST_F(Agreement, TheLowestRankThatFailedIsHeard) {
    if (world_.size() < 4) GTEST_SKIP() << "needs four ranks";
    const auto step = [this] {
        agree(world_, [this] {
            if (world_.rank() > 1) throw Error("rank " + std::to_string(world_.rank()));
        });
    };
    const int heard = std::max(2, world_.rank());  // whoever failed has an error of its own
    EXPECT_THAT(step, ThrowsMessage<Error>(StrEq("rank " + std::to_string(heard))));
}

}  // namespace
}  // namespace galapagos
