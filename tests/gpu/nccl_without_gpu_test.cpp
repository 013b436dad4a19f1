// What can be shown of NCCL without a GPU: waiting, deadlines, and a start that fails on every
// rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/cuda/nccl_communicator.hpp"
#include "comm/device.hpp"

namespace galapagos {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(Polling, WaitsWhileNcclIsAtWorkAndPassesOnWhatItSays) {
    for (const ncclResult_t last : {ncclSuccess, ncclRemoteError}) {
        int asked = 0;
        const auto state = [&] { return ++asked < 5 ? ncclInProgress : last; };
        EXPECT_EQ(cuda::poll(state, milliseconds(10000)), last);
        EXPECT_EQ(asked, 5);
    }
}

TEST(Polling, GivesUpAtTheDeadline) {
    EXPECT_EQ(cuda::poll([] { return ncclInProgress; }, milliseconds(20)), ncclInProgress);
}

TEST(Polling, OnlyAFailureIsALastWord) {
    for (const ncclResult_t code : {ncclSuccess, ncclInProgress}) {
        int asked = 0;
        const auto state = [&] { return ++asked < 3 ? ncclInProgress : ncclSystemError; };
        EXPECT_EQ(cuda::outcome(code, state, milliseconds(10000)), ncclSystemError);
    }
    const auto state = [] { return ncclSuccess; };
    EXPECT_EQ(cuda::outcome(ncclInvalidUsage, state, milliseconds(0)), ncclInvalidUsage);
}

TEST(NcclCommunicator, WithoutGpuEveryRankGetsAReadableError) {
    if (!visible_devices().devices.empty()) GTEST_SKIP() << "this machine has a GPU";
    try {
        cuda::NcclCommunicator group(Communicator::world(), milliseconds(10000));
        FAIL() << "there is no GPU";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("the GPUs of an evaluator can't be joined (NCCL: "),
                          HasSubstr("NCCL_DEBUG=INFO says more")));
    }
    EXPECT_STREQ(std::getenv("NCCL_NVLS_ENABLE"), "0")
        << "switches add up in an order of their own";
    int version = 0;
    cuda::check(ncclGetVersion(&version), "NCCL has no version");
    EXPECT_EQ(std::getenv("NCCL_WIN_ENABLE") != nullptr, version < NCCL_VERSION(2, 29, 7))
        << "earlier kernels in symmetric memory wait for a lost rank for ever";
}

}  // namespace
}  // namespace galapagos
