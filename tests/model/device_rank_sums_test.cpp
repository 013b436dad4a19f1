// Sums over ranks on a device: the bits of the host's, by whatever way the shares come together.
// Runs under mpirun with 1, 2 and 3 ranks.
#include "model/cuda/rank_sums.hpp"

#include <gtest/gtest.h>

#include "comm/communicator.hpp"
#include "model/device_values.hpp"
#include "model/host_work.hpp"

namespace galapagos {
namespace {

using cuda::PassPart;
using cuda::SumWay;

template <typename T>
class RankSums : public ::testing::Test {
  protected:
    /// Sums shares of this rank's, in memory for sums of so many rows.
    std::vector<T> sum(cuda::RankSums<T>& sums, const PassPart& part, std::int64_t width,
                       test::HostWork<T>& work, std::int64_t most_rows) {
        cuda::PassMemory memory;
        T* output = nullptr;
        sums.add_to(memory, most_rows, width);
        memory.add(output, sums.rows_in_parts(most_rows) * width);
        memory.place(work.reserve_exchanged(memory.bytes()));
        output += part.place * width;
        const auto share = share_of(group_.rank(), part.rows * width);
        std::copy(share.begin(), share.end(), sums.own_share(part, width));
        sums.finish(
            part, width, output,
            [width, output](const cuda::RankShares& shares, std::int64_t first, std::int64_t rows) {
                return cuda::RoundSums<T>{{rows, width}, shares, nullptr, output + first * width};
            });
        sums.await(part);
        return {output, output + part.rows * width};
    }

    static std::vector<float> share_of(int rank, std::int64_t count) {
        return test::random_values<float>(count, static_cast<unsigned>(7 + rank));
    }

    std::vector<T> expected(std::int64_t count) const {
        std::vector<float> sum = share_of(0, count);
        for (int rank = 1; rank < group_.size(); ++rank) {
            const auto share = share_of(rank, count);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share[i];
        }
        std::vector<T> rounded;
        for (const float value : sum) rounded.push_back(cuda::narrow<T>(value));
        return rounded;
    }

    TensorGroup group_{Communicator::world()};
};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(RankSums, ElementTypes);

template <typename T>
void expect_same_bits(const std::vector<T>& found, const std::vector<T>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(T)), 0);
}

TYPED_TEST(RankSums, AreTheHostsWhereverTheyAreMade) {
    using T = TypeParam;
    for (const Reductions reductions : {Reductions::exact, Reductions::fast})
        for (const bool beside : {false, true})
            for (const auto& [rows, width] : {std::pair<std::int64_t, std::int64_t>{1, 40},
                                              {2, 24},
                                              {5, 37},
                                              {48, 128},
                                              {1201, 4096}}) {
                SCOPED_TRACE(std::to_string(rows) + " rows");
                test::HostWork<T> work(this->group_, test::HostWork<T>::Beside::late);
                cuda::RankSums<T> sums(work, this->group_.rank(), this->group_.size(), reductions);
                sums.make_beside(beside);
                const PassPart part{0, 0, rows, 0};
                expect_same_bits(this->sum(sums, part, width, work, rows),
                                 this->expected(rows * width));
                const SumWay way = sums.way(rows * width);
                EXPECT_EQ(work.exchanges(), way == SumWay::exchanged);
                EXPECT_EQ(work.gathers(), way == SumWay::gathered && this->group_.size() > 1);
                EXPECT_EQ(work.sums(), way == SumWay::in_place && this->group_.size() > 1);
            }
}

TYPED_TEST(RankSums, TheSecondPartLiesBehindTheFirst) {
    using T = TypeParam;
    test::HostWork<T> work(this->group_);
    cuda::RankSums<T> sums(work, this->group_.rank(), this->group_.size(), Reductions::exact);
    sums.make_beside(true);
    const std::int64_t place = sums.place_after(10);
    EXPECT_GE(place, 10);
    EXPECT_EQ(place % this->group_.size(), 0);
    const PassPart part{1, 10, 7, place};
    expect_same_bits(this->sum(sums, part, 24, work, 17), this->expected(7 * 24));
}

/// By the bytes that a rank gets, of (width - 1) shares or of their slices and the rounded sums.
TEST(RankSumWays, AreExchangedWhereThatSparesEnough) {
    TensorGroup group;
    test::HostWork<float> fp32(group);
    test::HostWork<Bf16> bf16(group);
    const auto way = [](auto& work, int ranks, std::int64_t elements) {
        return cuda::RankSums(work, 0, ranks, Reductions::exact).way(elements);
    };
    constexpr std::int64_t width = 4096, many = std::int64_t{1} << 40;
    EXPECT_EQ(way(bf16, 1, many), SumWay::gathered);
    EXPECT_EQ(way(fp32, 2, many), SumWay::gathered) << "4 bytes an element either way";
    EXPECT_EQ(way(bf16, 2, 1023 * width), SumWay::gathered);
    EXPECT_EQ(way(bf16, 2, 1024 * width), SumWay::exchanged) << "3 bytes instead of 4";
    EXPECT_EQ(way(bf16, 8, 45 * width), SumWay::gathered);
    EXPECT_EQ(way(bf16, 8, 46 * width), SumWay::exchanged) << "5.25 bytes instead of 28";
    EXPECT_EQ(way(fp32, 8, 48 * width), SumWay::gathered);
    EXPECT_EQ(way(fp32, 8, 49 * width), SumWay::exchanged) << "7 bytes instead of 28";
}

/// Every sum that is gathered fits where it is gathered.
TEST(RankSumWays, TakeMemoryForTheLargestOfEach) {
    TensorGroup group;
    test::HostWork<Bf16> work(group);
    const auto elements = [&](int ranks, std::int64_t rows, Reductions reductions) {
        cuda::PassMemory memory;
        cuda::RankSums(work, 0, ranks, reductions).add_to(memory, rows, 4096);
        return memory.bytes() / sizeof(float) / 4096;
    };
    EXPECT_EQ(elements(1, 100, Reductions::exact), 100U);
    EXPECT_EQ(elements(8, 8192, Reductions::fast), 8192U + 14);
    EXPECT_EQ(elements(8, 8192, Reductions::exact), 2 * (8192U + 14));
    EXPECT_EQ(elements(8, 40, Reductions::exact), 8 * 40U);
    EXPECT_EQ(elements(2, 1000, Reductions::exact), 2 * 1002U);
}

}  // namespace
}  // namespace galapagos
