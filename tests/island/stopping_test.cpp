#include "island/stopping.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

TEST(Stopping, ASignalIsAReason) {
    const SignalWatch watch;
    StopWatch stop("/nonexistent/stop", std::nullopt);
    EXPECT_FALSE(stop.reason(1));
    std::raise(SIGUSR1);
    EXPECT_EQ(stop.reason(1), "signal SIGUSR1");
    SignalWatch::reset();
    EXPECT_FALSE(stop.reason(1));
}

TEST(Stopping, ASignalThatComesBeforeTheWatchIsKept) {
    hold_stop_signals();
    std::raise(SIGTERM);
    EXPECT_FALSE(SignalWatch::caught());
    const SignalWatch watch;
    EXPECT_EQ(SignalWatch::caught(), "SIGTERM");
    SignalWatch::reset();
}

TEST(Stopping, AStopFileIsAReason) {
    const testing::TemporaryFolder folder;
    write_atomically(folder / "stop", "");
    StopWatch stop(folder / "stop", std::nullopt);
    EXPECT_TRUE(stop.reason(1));
}

TEST(Stopping, TooLittleTimeForTwoMoreCandidatesIsAReason) {
    StopWatch enough("/nonexistent/stop", unix_time() + 1000),
        little("/nonexistent/stop", unix_time() + 100);
    EXPECT_FALSE(enough.reason(60));
    EXPECT_TRUE(little.reason(60));
}

}  // namespace
}  // namespace galapagos
