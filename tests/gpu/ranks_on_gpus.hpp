// For tests with several ranks, one GPU a rank; on a machine with too few of them, several ranks on
// one. They skip themselves where there is none.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <string>

#include "comm/communicator.hpp"
#include "comm/device_choice.hpp"

namespace galapagos::test {

/// NCCL refuses two ranks on one GPU unless they seem to be on different hosts (up to 2.29) or it
/// is asked not to (later). They take turns there: what waits for others in a kernel of its own
/// (every algorithm but these) is slow. Must come before its first call.
inline void allow_ranks_on_one_gpu(int rank) {
    ::setenv("NCCL_HOSTID", std::to_string(rank).c_str(), 1);
    ::setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 1);
    ::setenv("NCCL_NVLS_ENABLE", "0", 1);
    ::setenv("NCCL_ALGO", "Ring", 1);
    ::setenv("NCCL_PROTO", "Simple", 1);
}

class RanksOnGpus : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto choice = choose_device(world_, visible_devices(), DeviceSharing::allowed);
        if (!choice.device) GTEST_SKIP() << "no GPU: " << choice.why_none;
        const auto uuids = world_.all_gather(choice.device->uuid);
        if (std::set(uuids.begin(), uuids.end()).size() < uuids.size())
            allow_ranks_on_one_gpu(world_.rank());
        use_device(*choice.device);
        if (choice.device->name == "emulated") patience_ = std::chrono::seconds(3);
    }
    /// What an error says where it was in vain.
    std::string waited() const {
        return "other ranks did not answer for " + std::to_string(patience_.count()) + " s";
    }

    Communicator world_ = Communicator::world();
    /// Where one waits in vain. NCCL takes seconds to start, more where ranks share a GPU.
    std::chrono::seconds patience_{20};
};

}  // namespace galapagos::test
