// NCCL on real GPUs.
#include "comm/cuda/nccl_communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "comm/cuda/memory.hpp"
#include "gpu/ranks_on_gpus.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

class NcclOnGpus : public test::RanksOnGpus {
  protected:
    /// The sum of `mine` over the group's ranks, made on the GPUs.
    float sum(cuda::NcclCommunicator& group, float mine) {
        cuda::MemoryPlan plan;
        const std::size_t at = plan.add("test", sizeof mine);
        const cuda::DeviceArena arena(plan);
        const cuda::Stream stream;
        cuda::check(cudaMemcpyAsync(arena.at(at), &mine, sizeof mine, cudaMemcpyHostToDevice,
                                    stream.handle()),
                    "can't copy to the GPU");
        group.run("a sum over GPUs failed", [&](ncclComm_t comm) {
            return ncclAllReduce(arena.at(at), arena.at(at), 1, ncclFloat, ncclSum, comm,
                                 stream.handle());
        });
        group.wait(stream, "a sum over GPUs failed");
        float result = 0;
        cuda::check(cudaMemcpy(&result, arena.at(at), sizeof result, cudaMemcpyDeviceToHost),
                    "can't copy from the GPU");
        return result;
    }
};

TEST_F(NcclOnGpus, SumsOverAllRanks) {
    cuda::NcclCommunicator group(world_);
    EXPECT_EQ(group.rank(), world_.rank());
    EXPECT_EQ(group.size(), world_.size());
    const auto ranks = static_cast<float>(world_.size());
    EXPECT_EQ(sum(group, static_cast<float>(world_.rank() + 1)), ranks * (ranks + 1) / 2);
    EXPECT_NO_THROW(group.check_health());
    group.close();
    EXPECT_THROW(group.size(), Error);
}

TEST_F(NcclOnGpus, HasMemoryThatItsCollectivesWorkOn) {
    cuda::NcclCommunicator group(world_);
    const auto ranks = static_cast<std::size_t>(world_.size());
    constexpr std::size_t count = 1000;
    auto* values = reinterpret_cast<float*>(group.allocate(ranks * count * sizeof(float), world_));
    auto* others = reinterpret_cast<float*>(group.allocate(ranks * count * sizeof(float), world_));
    EXPECT_NE(values, others);
    const std::vector<float> mine(count, static_cast<float>(world_.rank()));
    const cuda::Stream stream;
    float* own = values + static_cast<std::size_t>(world_.rank()) * count;
    cuda::check(cudaMemcpyAsync(own, mine.data(), count * sizeof(float), cudaMemcpyHostToDevice,
                                stream.handle()),
                "can't copy to the GPU");
    group.run("gathering failed", [&](ncclComm_t comm) {
        return ncclAllGather(own, values, count, ncclFloat, comm, stream.handle());
    });
    group.run("a sum failed", [&](ncclComm_t comm) {
        return ncclAllReduce(values, others, ranks * count, ncclFloat, ncclSum, comm,
                             stream.handle());
    });
    group.wait(stream, "a sum failed");
    std::vector<float> all(ranks * count);
    cuda::check(cudaMemcpy(all.data(), others, all.size() * sizeof(float), cudaMemcpyDeviceToHost),
                "can't copy from the GPU");
    for (std::size_t i = 0; i < all.size(); ++i)
        ASSERT_EQ(all[i], static_cast<float>(i / count * ranks));
    group.close();
}

TEST_F(NcclOnGpus, MemoryThatOneRankHasNotIsAnErrorOnAllAtOnce) {
    cuda::NcclCommunicator group(world_);
    const bool last = world_.rank() == world_.size() - 1;
    const Stopwatch watch;
    try {
        group.allocate(last ? std::size_t{1} << 50 : 1000, world_);
        FAIL() << "a petabyte was to be had";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("can't reserve 1048576.00 GiB on the GPU"));
    }
    EXPECT_LT(watch.seconds(), 20) << "nobody waits until patience is over";
    group.allocate(1000, world_);
    EXPECT_EQ(sum(group, 1), static_cast<float>(world_.size()));
    group.close();
}

TEST_F(NcclOnGpus, SplitsIntoGroupsThatSumOnTheirOwn) {
    cuda::NcclCommunicator group(world_);
    auto part = group.split(world_.rank() % 2, world_.rank());
    EXPECT_EQ(part.rank(), world_.rank() / 2);
    EXPECT_EQ(sum(part, 1), static_cast<float>(part.size()));
    EXPECT_EQ(sum(group, 1), static_cast<float>(group.size()));
    part.close();
    group.close();
}

TEST_F(NcclOnGpus, ARankThatStaysAwayEndsInAnErrorAndNotInAHang) {
    if (world_.size() < 2) GTEST_SKIP() << "needs two ranks";
    cuda::NcclCommunicator group(world_, patience_);
    if (world_.rank() == 0) {
        try {
            auto part = group.split(0, 0);
            ADD_FAILURE() << "rank 0 split the group alone";
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(waited()));
        }
        EXPECT_THROW(group.size(), Error);
    }
    world_.barrier();
}

}  // namespace
}  // namespace galapagos
