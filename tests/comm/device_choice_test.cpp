// Which GPU a rank takes, with made-up reports of what each rank sees.
#include "comm/device_choice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

/// `count` GPUs of one node, from GPU number `first` on.
DeviceReport gpus(int count, int first = 0) {
    DeviceReport report;
    for (int i = 0; i < count; ++i)
        report.devices.push_back({"GPU", "GPU-" + std::to_string(first + i), 80, i});
    return report;
}

std::string error_of(const Communicator& world, const DeviceReport& seen) {
    try {
        choose_device(world, seen);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(DeviceChoice, RanksThatSeeAllGpusTakeOneEach) {
    const auto world = Communicator::world();
    const auto choice = choose_device(world, gpus(8));
    ASSERT_TRUE(choice.device);
    EXPECT_EQ(choice.device->index, world.rank());
}

TEST(DeviceChoice, RanksThatSeeOnlyTheirOwnTakeIt) {
    const auto world = Communicator::world();
    const auto choice = choose_device(world, gpus(1, world.rank()));
    ASSERT_TRUE(choice.device);
    EXPECT_EQ(choice.device->index, 0);
    EXPECT_EQ(choice.device->uuid, "GPU-" + std::to_string(world.rank()));
}

TEST(DeviceChoice, WithoutGpusAllComputeOnTheCpu) {
    const auto choice = choose_device(Communicator::world(), {{}, "no driver"});
    EXPECT_FALSE(choice.device);
    EXPECT_EQ(choice.why_none, "no driver");
}

TEST(DeviceChoice, TwoRanksOnOneGpuAreRefusedUnlessAsked) {
    const auto world = Communicator::world();
    if (world.size() < 4) GTEST_SKIP() << "needs four ranks";
    const auto error = error_of(world, gpus(3));
    EXPECT_THAT(error, HasSubstr("ranks 0 and 3 would share one GPU (GPU-0)"));
    EXPECT_THAT(error, HasSubstr("--ntasks-per-node"));
    const auto choice = choose_device(world, gpus(3), DeviceSharing::allowed);
    EXPECT_EQ(choice.device->index, world.rank() % 3);
}

TEST(DeviceChoice, SomeRanksWithoutGpuAreRefused) {
    const auto world = Communicator::world();
    if (world.size() < 4) GTEST_SKIP() << "needs four ranks";
    const auto error = error_of(world, world.rank() == 2 ? DeviceReport{{}, "no driver"} : gpus(4));
    EXPECT_THAT(error, HasSubstr("rank 2 sees no GPU, but rank 0 does (no driver)"));
}

TEST(DeviceChoice, ABrokenGpuIsNoReasonToUseTheCpu) {
    const auto world = Communicator::world();
    const bool mine = world.rank() == world.size() - 1;
    const auto error = error_of(world, {{}, mine ? "ECC error" : "no driver", mine});
    EXPECT_THAT(error, HasSubstr("rank " + std::to_string(world.size() - 1) +
                                 " can't use its GPU (ECC error)"));
}

/// What a wish gives, or the error's text.
std::string granted(DeviceWish wish, const DeviceReport& seen) {
    try {
        const auto choice = grant_device(Communicator::world(), wish, seen, DeviceSharing::refused);
        return choice.device ? choice.device->uuid : "cpu: " + choice.why_none;
    } catch (const UsageError& error) {
        return "wrong usage: " + std::string(error.what());
    } catch (const Error& error) {
        return "failed: " + std::string(error.what());
    }
}

TEST(DeviceWish, TheCpuNeedsNoReason) { EXPECT_EQ(granted(DeviceWish::cpu, gpus(8)), "cpu: "); }

TEST(DeviceWish, AGpuForEveryRankIsTaken) {
    const auto mine = "GPU-" + std::to_string(Communicator::world().rank());
    EXPECT_EQ(granted(DeviceWish::gpu, gpus(8)), mine);
    EXPECT_EQ(granted(DeviceWish::automatic, gpus(8)), mine);
}

TEST(DeviceWish, WithoutGpusTheFirstRanksReasonIsGiven) {
    const bool first = Communicator::world().is_root();
    const DeviceReport none{{}, first ? "no driver" : "no permission"};
    EXPECT_THAT(granted(DeviceWish::gpu, none),
                AllOf(HasSubstr("wrong usage: the device gpu can't be had (no rank sees a GPU: no "
                                "driver) use a build with CUDA"),
                      HasSubstr("or the device cpu")));
    EXPECT_EQ(granted(DeviceWish::automatic, none), "cpu: no rank sees a GPU: no driver");
}

TEST(DeviceWish, WhatWouldBeAnErrorIsAReasonForTheCpu) {
    const auto world = Communicator::world();
    const DeviceReport broken{{}, "ECC error", true};
    EXPECT_THAT(granted(DeviceWish::gpu, broken), HasSubstr("failed: rank 0 can't use its GPU"));
    EXPECT_THAT(granted(DeviceWish::automatic, broken),
                HasSubstr("cpu: rank 0 can't use its GPU (ECC error)"));
    if (world.size() < 4) GTEST_SKIP() << "needs four ranks";
    EXPECT_THAT(granted(DeviceWish::gpu, gpus(3)),
                AllOf(HasSubstr("wrong usage: ranks 0 and 3 would share one GPU"),
                      HasSubstr("evaluation.share_gpus")));
    EXPECT_THAT(granted(DeviceWish::automatic, gpus(3)),
                HasSubstr("cpu: ranks 0 and 3 would share one GPU"));
    const auto some = world.rank() == 2 ? DeviceReport{{}, "no driver"} : gpus(4);
    EXPECT_THAT(granted(DeviceWish::gpu, some), HasSubstr("wrong usage: rank 2 sees no GPU"));
    EXPECT_THAT(granted(DeviceWish::automatic, some), HasSubstr("cpu: rank 2 sees no GPU"));
}

TEST(DeviceChoice, WhatThisMachineShowsCanBeChosenFrom) {
    const auto choice =
        choose_device(Communicator::world(), visible_devices(), DeviceSharing::allowed);
    EXPECT_EQ(choice.device.has_value(), choice.why_none.empty());
    if (choice.device) {
        EXPECT_NO_THROW(use_device(*choice.device));
    }
}

TEST(DeviceChoice, AGpuThatIsNotThereCanNotBeUsed) {
    EXPECT_THROW(use_device({"GPU", "GPU-none", 80, 1000}), Error);
}

}  // namespace
}  // namespace galapagos
