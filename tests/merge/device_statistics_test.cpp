// Statistics of task vectors as the GPU's kernels take them, by their host's twin, against the
// CPU's passes.
#include <gtest/gtest.h>

#include <limits>

#include "merge/della.hpp"
#include "merge/device_job_draws.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/mask_table.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace test;

/// A task vector and where its tensors are.
struct Drawn {
    DeviceJobCase tensors;
    DeltaPair pair;
};

/// Of few amounts or of many, in any element types, perhaps at addresses that allow no wide loads.
Drawn drawn_pair(std::uint64_t index, std::int64_t count) {
    Draw draw(index);
    Drawn made;
    made.tensors.job.count = count;
    const bool coarse = draw.below(3) == 0;
    made.pair = {drawn_tensor(draw, coarse, made.tensors), drawn_tensor(draw, coarse, made.tensors),
                 count};
    if (draw.below(4) == 0 && count > 1) {
        made.pair.count = count - 1;
        made.pair.source.data += size_of(made.pair.source.dtype);
    }
    return made;
}

std::vector<std::int64_t> drawn_counts(std::uint64_t index) {
    return {1, 7, 1000 + static_cast<std::int64_t>(index), 70'001};
}

void compare_cuts(const DeltaPair& pair, const FixedPoint& fixed, StatisticPasses& passes) {
    std::vector<std::int64_t> ks;
    for (const std::int64_t part : {1, 5, 50, 70, 99})
        ks.push_back(std::max<std::int64_t>(1, pair.count * part / 100));
    DeltaLadder expected(pair, fixed), found(pair, fixed, passes);
    std::vector<CutRequest> by_cpu(ks.size()), by_twin(ks.size());
    for (std::size_t i = 0; i < ks.size(); ++i) {
        by_cpu[i].ladder = &expected;
        by_twin[i].ladder = &found;
        by_cpu[i].k = by_twin[i].k = ks[i];
    }
    // The second time, ties are known.
    for (int round = 0; round < 2; ++round) {
        find_cuts(by_cpu);
        find_cuts(by_twin, passes);
        for (std::size_t i = 0; i < ks.size(); ++i) {
            EXPECT_EQ(by_twin[i].threshold, by_cpu[i].threshold) << "k = " << ks[i];
            EXPECT_EQ(by_twin[i].last_tie, by_cpu[i].last_tie) << "k = " << ks[i];
            EXPECT_EQ(by_twin[i].kept_sum, by_cpu[i].kept_sum) << "k = " << ks[i];
        }
    }
}

void compare_thinning(const DeltaPair& pair, const FixedPoint& fixed, std::int64_t row_length,
                      StatisticPasses& passes) {
    const DeltaPair rows{pair.base, pair.source, pair.count / row_length * row_length};
    const Ranks expected = cpu_passes().magnitude_ranks(rows, row_length);
    const Ranks found = passes.magnitude_ranks(rows, row_length);
    for (std::int64_t i = 0; i < rows.count; ++i) ASSERT_EQ(found[i], expected[i]) << i;
    JobInput input;
    input.ranks = found.get();
    set_rank_probabilities(0.6, 0.2, input);
    std::vector<RankThinning> by_twin{{rows, fixed, &input, {11, 12, 13}, {}},
                                      {rows, fixed, &input, {21, 12, 13}, {}}};
    std::vector<RankThinning> by_cpu = by_twin;
    passes.thin(by_twin);
    cpu_passes().thin(by_cpu);
    for (std::size_t i = 0; i < by_twin.size(); ++i) EXPECT_EQ(by_twin[i].norms, by_cpu[i].norms);
}

void compare_all(const DeltaPair& pair, StatisticPasses& passes,
                 std::initializer_list<std::int64_t> row_lengths = {1, 60, 1000, 5003}) {
    const std::uint32_t largest = largest_magnitude(pair);
    ASSERT_EQ(passes.largest_magnitude(pair), largest);
    const FixedPoint fixed = fixed_point_of(largest);
    const std::uint32_t middle = largest - largest / 8;
    for (const KeyRange& range : {KeyRange{0, magnitude_bits, 15}, KeyRange{0, magnitude_bits, 18},
                                  KeyRange{middle, middle + 0x7FFF, 0}, KeyRange{0, 0x7FFF, 7}})
        EXPECT_EQ(passes.count_keys(pair, fixed, range),
                  cpu_passes().count_keys(pair, fixed, range));
    compare_cuts(pair, fixed, passes);
    const MaskStream stream{5, 6, 7};
    EXPECT_EQ(passes.sums_by_level(pair, fixed, stream), sums_by_level(pair, fixed, stream));
    for (const std::int64_t row_length : row_lengths)
        if (row_length <= pair.count && pair.count <= 50 * row_length)
            compare_thinning(pair, fixed, row_length, passes);
}

TEST(DeviceStatistics, HaveTheBitsOfTheCpu) {
    StatisticTwin twin;
    cuda::DevicePasses passes(twin);
    for (std::uint64_t index = 0; index < 8; ++index)
        for (const std::int64_t count : drawn_counts(index)) {
            SCOPED_TRACE(testing::Message() << "case " << index << ", " << count << " elements");
            const Drawn drawn = drawn_pair(index, count);
            compare_all(drawn.pair, passes);
            if (HasFatalFailure()) return;
        }
}

/// Under a thread sanitizer this finds steps that lack a barrier between them.
TEST(DeviceStatistics, ThreadsMayRunSideBySide) {
    StatisticTwin twin(StatisticTwin::Threads::real);
    cuda::DevicePasses passes(twin);
    for (const std::uint64_t index : {0, 1})
        compare_all(drawn_pair(index, 33'000).pair, passes, {9000});
}

TEST(DeviceStatistics, ATaskVectorOfEqualOrNoChanges) {
    StatisticTwin twin;
    cuda::DevicePasses passes(twin);
    for (const float change : {0.0f, -0.5f}) {
        const std::vector<float> base(70'000, 1.0f), source(70'000, 1.0f + change);
        compare_all({{reinterpret_cast<const std::byte*>(base.data()), DType::f32},
                     {reinterpret_cast<const std::byte*>(source.data()), DType::f32},
                     70'000},
                    passes);
    }
}

TEST(DeviceStatistics, WhatIsNotFiniteIsCountedAndNotAddedUp) {
    StatisticTwin twin;
    cuda::DevicePasses passes(twin);
    std::vector<float> base(5000, 0.0f), source(5000, 0.25f);
    source[77] = std::numeric_limits<float>::infinity();
    source[99] = 1e30f;
    const DeltaPair pair{{reinterpret_cast<const std::byte*>(base.data()), DType::f32},
                         {reinterpret_cast<const std::byte*>(source.data()), DType::f32},
                         5000};
    const FixedPoint fixed = fixed_point_of(passes.largest_magnitude(pair));
    EXPECT_FALSE(fixed.finite);
    const KeyRange all{0, magnitude_bits, 15};
    EXPECT_EQ(passes.count_keys(pair, fixed, all), cpu_passes().count_keys(pair, fixed, all));
}

TEST(DeviceStatistics, AnEmptyTensorHasNone) {
    StatisticTwin twin;
    cuda::DevicePasses passes(twin);
    const DeltaPair nothing{};
    EXPECT_EQ(passes.largest_magnitude(nothing), 0u);
    EXPECT_EQ(passes.sums_by_level(nothing, {}, {}), std::vector<std::int64_t>(probability_levels));
    EXPECT_NE(passes.magnitude_ranks(nothing, 0), nullptr);
}

}  // namespace
}  // namespace galapagos
