#include "comm/communicator.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "comm/tensor_group.hpp"

namespace galapagos {
namespace {

TEST(Communicator, TheNullGroupIsOneRank) {
    const Communicator alone;
    EXPECT_EQ(alone.size(), 1);
    EXPECT_EQ(alone.broadcast(std::string("x")), "x");
    EXPECT_EQ(alone.all_gather("y"), std::vector<std::string>{"y"});
    EXPECT_EQ(alone.split(0, 0).size(), 1);
}

TEST(Communicator, GathersTextsInRankOrder) {
    const auto world = Communicator::world();
    const auto texts =
        world.all_gather(std::string(static_cast<std::size_t>(world.rank()) * 3, 'a'));
    ASSERT_EQ(static_cast<int>(texts.size()), world.size());
    for (int rank = 0; rank < world.size(); ++rank)
        EXPECT_EQ(texts[static_cast<std::size_t>(rank)].size(), static_cast<std::size_t>(rank) * 3);
}

TEST(Communicator, SplitsByColour) {
    const auto world = Communicator::world();
    const auto half = world.split(world.rank() % 2, world.rank());
    EXPECT_EQ(half.size(), world.rank() % 2 == 0 ? (world.size() + 1) / 2 : world.size() / 2);
    EXPECT_EQ(half.rank(), world.rank() / 2);
}

TEST(Communicator, MessagesArriveWholeAndInOrder) {
    const auto world = Communicator::world();
    const int next = (world.rank() + 1) % world.size(),
              previous = (world.rank() + world.size() - 1) % world.size();
    for (int i = 0; i < 20; ++i)
        world.send(std::string(static_cast<std::size_t>(i * 10000), static_cast<char>('a' + i)),
                   next, 5);
    for (int i = 0; i < 20; ++i) {
        const auto text = world.receive(previous, 5);
        ASSERT_EQ(text.size(), static_cast<std::size_t>(i * 10000));
        ASSERT_EQ(text, std::string(text.size(), static_cast<char>('a' + i)));
    }
    while (world.pending_sends() > 0) {
    }
    EXPECT_FALSE(world.try_receive(5).has_value());
    world.barrier();
}

TEST(TensorGroup, SumsInRankOrderOnEveryRank) {
    TensorGroup group(Communicator::world());
    // Longer than a slot, and values whose sum depends on the order of the additions.
    const std::size_t n = 700001;
    auto value = [](int rank, std::size_t i) {
        return (rank % 2 ? 1e8f : -1e8f) + static_cast<float>(i % 97) * 0.37f;
    };
    std::vector<float> mine(n), expected(n);
    for (std::size_t i = 0; i < n; ++i) {
        mine[i] = value(group.rank(), i);
        expected[i] = value(0, i);
        for (int rank = 1; rank < group.size(); ++rank) expected[i] += value(rank, i);
    }
    for (int repeat = 0; repeat < 5; ++repeat) {
        auto values = mine;
        group.all_reduce_sum(std::span(values));
        ASSERT_EQ(std::memcmp(values.data(), expected.data(), n * sizeof(float)), 0);
    }
}

TEST(TensorGroup, GathersAndBroadcasts) {
    TensorGroup group(Communicator::world());
    for (std::int64_t round = 0; round < 1000; ++round) {
        const auto all = group.all_gather_values(round * 10 + group.rank());
        for (int rank = 0; rank < group.size(); ++rank)
            ASSERT_EQ(all[static_cast<std::size_t>(rank)], round * 10 + rank);
    }
    std::vector<std::int32_t> tokens(3000000, group.rank());
    if (group.rank() == 0) std::iota(tokens.begin(), tokens.end(), 7);
    group.broadcast(std::as_writable_bytes(std::span(tokens)));
    EXPECT_EQ(tokens.front(), 7);
    EXPECT_EQ(tokens.back(), 3000006);
    std::vector<std::int64_t> counts{1, group.rank()};
    group.all_reduce_sum(std::span(counts));
    EXPECT_EQ(counts[0], group.size());
    EXPECT_EQ(counts[1], group.size() * (group.size() - 1) / 2);
}

}  // namespace
}  // namespace galapagos
