// Statistics as the GPU's kernels take them, by their host's twin, against the CPU's.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"
#include "merge/device_statistic_cases.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace test;

class DeviceStatistics : public ::testing::Test {
  protected:
    DeltaPair held(const std::vector<float>& base, const std::vector<float>& source) {
        const auto count = static_cast<std::int64_t>(base.size());
        const DeltaPair pair{stored(base), stored(source), count};
        tested_.hold(pair.base, count);
        tested_.hold(pair.source, count);
        return pair;
    }
    static StoredTensor stored(const std::vector<float>& values) {
        return {reinterpret_cast<const std::byte*>(values.data()), DType::f32};
    }

    cuda::ResidentTensors tensors_;
    StatisticTwin twin_{&tensors_};
    TestedPasses tested_{twin_, tensors_, twin_memory};
};

TEST_F(DeviceStatistics, HaveTheBitsOfTheCpu) {
    for (std::uint64_t index = 0; index < 8; ++index)
        for (const std::int64_t count : {1, 7, 1000 + static_cast<int>(index), 70'001}) {
            SCOPED_TRACE(testing::Message() << "case " << index << ", " << count << " elements");
            DeviceJobCase made;
            compare_delta(drawn_pair(index, count, made, tested_), {1, 60, 1000, 5003}, tested_);
            if (HasFatalFailure()) return;
        }
}

TEST_F(DeviceStatistics, OfAllModelsHaveTheBitsOfTheCpu) {
    const Shape shapes[] = {{1, 1}, {3, 7}, {40, 1100}, {300, 256}, {1, 70'001}, {2100, 5}};
    for (std::uint64_t index = 0; index < 18; ++index) {
        SCOPED_TRACE(testing::Message() << "case " << index);
        DeviceJobCase made;
        draw_models(index, shapes[index % std::size(shapes)],
                    index == 3 ? cuda::most_inputs : 1 + static_cast<std::int64_t>(index % 4), made,
                    tested_);
        compare_job(made.job, tested_.passes());
    }
}

/// Under a thread sanitizer this finds steps that lack a barrier between them.
TEST_F(DeviceStatistics, ThreadsMayRunSideBySide) {
    StatisticTwin twin(&tensors_, StatisticTwin::Threads::real);
    TestedPasses tested(twin, tensors_, twin_memory);
    for (const std::uint64_t index : {0, 1}) {
        DeviceJobCase made;
        compare_delta(drawn_pair(index, 33'000, made, tested), {9000}, tested);
        DeviceJobCase models;
        draw_models(index, {2, 1700}, 3, models, tested);
        compare_job(models.job, tested.passes());
    }
}

TEST_F(DeviceStatistics, OfEqualChangesAndOfNone) {
    for (const float change : {0.0f, -0.5f}) {
        const std::vector<float> base(70'000, 1.0f), source(70'000, 1.0f + change);
        compare_delta(held(base, source), {7000}, tested_);
    }
}

TEST_F(DeviceStatistics, WhatIsNotFiniteIsCountedAndNotAddedUp) {
    const std::vector<float> base(5000, 0.0f);
    std::vector<float> source(5000, 0.25f);
    source[77] = std::numeric_limits<float>::infinity();
    source[99] = 1e30f;
    const DeltaPair pair = held(base, source);
    const FixedPoint fixed = fixed_point_of(tested_.passes().largest_magnitude(pair));
    EXPECT_FALSE(fixed.finite);
    const KeyRange all{0, magnitude_bits, 15};
    EXPECT_EQ(tested_.passes().count_keys(pair, fixed, all),
              cpu_passes().count_keys(pair, fixed, all));
}

TEST_F(DeviceStatistics, AnEmptyTensorHasNone) {
    const DeltaPair nothing{};
    EXPECT_EQ(tested_.passes().largest_magnitude(nothing), 0u);
    EXPECT_EQ(tested_.passes().sums_by_level(nothing, {}, {}),
              std::vector<std::int64_t>(probability_levels));
    EXPECT_NE(tested_.passes().magnitude_ranks(nothing, 0), nullptr);
}

TEST_F(DeviceStatistics, AreNotTakenOfTensorsThatAreElsewhere) {
    const std::vector<float> base(100), source(100);
    EXPECT_THROW(tested_.passes().largest_magnitude({stored(base), stored(source), 100}), Error);
    held(base, source);
    EXPECT_EQ(tested_.passes().largest_magnitude({stored(base), stored(source), 100}), 0u);
    EXPECT_THROW(tensors_.find(stored(base).data + 400), Error);
}

}  // namespace
}  // namespace galapagos
