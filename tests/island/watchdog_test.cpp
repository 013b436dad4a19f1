// Processes that stop getting on are noticed and named; others are not.
#include "island/watchdog.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "base/activity.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

class WatchdogTest : public ::testing::Test {
  protected:
    WatchdogTest() : world(Communicator::world()) {
        if (world.is_root()) folder.emplace();
        base = world.broadcast(folder ? folder->path().string() : std::string());
    }
    ~WatchdogTest() override { world.barrier(); }

    /// What rank 0 hears when rank 1 behaves so for two seconds, and rank 0 as it should.
    template <typename Behaviour>
    std::string heard(double limit, Behaviour behaviour) {
        std::mutex mutex;
        std::string message;
        {
            const Watchdog watchdog(world, base / "heartbeat", limit, [&](const std::string& text) {
                const std::lock_guard guard(mutex);
                message = text;
            });
            set_activity("testing");
            for (int i = 0; i < 40; ++i) {
                if (world.rank() == 1)
                    behaviour();
                else
                    note_step();
                ::usleep(50000);
            }
            set_activity("ending", true);
            world.barrier();
        }
        return message;
    }

    Communicator world;
    std::optional<testing::TemporaryFolder> folder;
    std::filesystem::path base;
};

TEST_F(WatchdogTest, WhoGetsOnIsLeftAlone) {
    EXPECT_EQ(heard(1.0, [] { note_step(); }), "");
}

TEST_F(WatchdogTest, WhoHasNothingToDoIsLeftAlone) {
    EXPECT_EQ(heard(0.5, [] { set_activity("idle", true); }), "");
}

TEST_F(WatchdogTest, WhoGetsOnNoMoreIsNamed) {
    const auto message = heard(0.5, [] {});
    if (world.is_root() && world.size() > 1) {
        EXPECT_TRUE(message.starts_with("rank 1 hangs (it has not got on for ")) << message;
        EXPECT_NE(message.find("it was testing"), std::string::npos) << message;
    } else {
        EXPECT_EQ(message, "");
    }
}

TEST_F(WatchdogTest, OneHangIsReportedOnce) {
    // Rank 1 gets on no more, and rank 0, which finds that out, seems hung to rank 1 from then on.
    std::atomic<int> reports = 0;
    {
        const Watchdog watchdog(world, base / "heartbeat", 0.5,
                                [&](const std::string&) { ++reports; });
        set_activity("testing");
        for (int i = 0; i < 40; ++i) {
            if (world.is_root() && reports == 0) note_step();
            ::usleep(50000);
        }
        set_activity("ending", true);
        world.barrier();
    }
    int all = 0;
    for (const auto& text : world.all_gather(std::to_string(reports.load())))
        all += std::stoi(text);
    EXPECT_EQ(all, world.size() > 1 ? 1 : 0);
}

TEST_F(WatchdogTest, WhoWaitsIsGivenTwiceTheTime) {
    EXPECT_EQ(heard(1.2, [] { static WaitingForOthers waiting; }), "");
}

}  // namespace
}  // namespace galapagos
