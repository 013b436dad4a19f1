// Statistics of random tensors, taken by a device, against those of the CPU's passes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "merge/cuda/device_passes.hpp"
#include "merge/cuda/resident_tensors.hpp"
#include "merge/della.hpp"
#include "merge/device_job_draws.hpp"
#include "merge/gram.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/slerp.hpp"

namespace galapagos::test {

/// A device's passes, over copies of tensors.
class TestedPasses {
  public:
    /// Gives memory of the device.
    using Allocate = std::function<std::shared_ptr<std::byte[]>(std::size_t bytes)>;

    /// `tensors` are those that the device looks its tensors up in.
    TestedPasses(cuda::StatisticDevice& device, cuda::ResidentTensors& tensors, Allocate allocate)
        : device_(&device),
          tensors_(&tensors),
          allocate_(std::move(allocate)),
          reserved_(allocate_(enough.total())) {}

    StatisticPasses& passes() { return passes_; }
    void hold(const StoredTensor& tensor, std::int64_t count) {
        const std::size_t bytes = static_cast<std::size_t>(count) * size_of(tensor.dtype);
        copies_.push_back(allocate_(bytes));
        device_->copy_in(tensor.data, bytes, copies_.back().get());
        tensors_->add(tensor.data, bytes, copies_.back().get());
    }
    std::vector<std::uint16_t> ranks_of(const Ranks& ranks, std::int64_t count) {
        std::vector<std::uint16_t> result(static_cast<std::size_t>(count));
        device_->copy_out(reinterpret_cast<const std::byte*>(ranks.get()), 2 * result.size(),
                          result.data());
        return result;
    }

  private:
    static constexpr cuda::MergeBytes enough{0, 1 << 20, 64 << 20, 128 << 20};

    cuda::StatisticDevice* device_;
    cuda::ResidentTensors* tensors_;
    Allocate allocate_;
    std::shared_ptr<std::byte[]> reserved_;
    cuda::MergeMemory memory_{enough, reserved_.get()};
    cuda::DevicePasses passes_{*device_, memory_};
    std::vector<std::shared_ptr<std::byte[]>> copies_;
};

/// A task vector of few amounts or of many, in any element types. Every fourth is one whose source
/// begins an element late, where there are no wide loads.
inline DeltaPair drawn_pair(std::uint64_t index, std::int64_t count, DeviceJobCase& made,
                            TestedPasses& tested) {
    Draw draw(index);
    made.job.count = count;
    const bool coarse = draw.below(3) == 0;
    DeltaPair pair{drawn_tensor(draw, coarse, made), drawn_tensor(draw, coarse, made), count};
    tested.hold(pair.base, count);
    tested.hold(pair.source, count);
    if (index % 4 == 3 && count > 1) {
        pair.count = count - 1;
        pair.source.data += size_of(pair.source.dtype);
    }
    return pair;
}

inline void compare_cuts(const DeltaPair& pair, const FixedPoint& fixed, StatisticPasses& passes) {
    std::vector<std::int64_t> ks;
    for (const std::int64_t percent : {1, 5, 50, 70, 99})
        ks.push_back(std::max<std::int64_t>(1, pair.count * percent / 100));
    DeltaLadder expected(pair, fixed), found(pair, fixed, passes);
    std::vector<CutRequest> by_cpu(ks.size()), by_device(ks.size());
    for (std::size_t i = 0; i < ks.size(); ++i) {
        by_cpu[i].ladder = &expected;
        by_device[i].ladder = &found;
        by_cpu[i].k = by_device[i].k = ks[i];
    }
    // The second time, ties are known.
    for (int round = 0; round < 2; ++round) {
        find_cuts(by_cpu);
        find_cuts(by_device, passes);
        for (std::size_t i = 0; i < ks.size(); ++i) {
            EXPECT_EQ(by_device[i].threshold, by_cpu[i].threshold) << "k = " << ks[i];
            EXPECT_EQ(by_device[i].last_tie, by_cpu[i].last_tie) << "k = " << ks[i];
            EXPECT_EQ(by_device[i].kept_sum, by_cpu[i].kept_sum) << "k = " << ks[i];
        }
    }
}

/// Of the whole rows.
inline void compare_ranks(DeltaPair pair, const FixedPoint& fixed, std::int64_t row_length,
                          TestedPasses& tested) {
    pair.count -= pair.count % row_length;
    const std::vector<std::uint16_t> expected = magnitude_ranks(pair, row_length);
    const Ranks found = tested.passes().magnitude_ranks(pair, row_length);
    ASSERT_EQ(tested.ranks_of(found, pair.count), expected) << "rows of " << row_length;
    JobInput by_cpu, by_device;
    by_cpu.ranks = expected.data();
    by_device.ranks = found.get();
    for (JobInput* input : {&by_cpu, &by_device}) set_rank_probabilities(0.6, 0.2, *input);
    const MaskStream streams[] = {{11, 12, 13}, {21, 12, 13}};
    std::vector<RankThinning> thinnings;
    for (const MaskStream& stream : streams)
        thinnings.push_back({pair, fixed, &by_device, stream, {}});
    tested.passes().thin(thinnings);
    for (const RankThinning& one : thinnings)
        EXPECT_EQ(one.norms, thinned_norms(pair, fixed, by_cpu, one.stream));
}

/// Of a task vector's statistics, those that look at no rows.
inline void compare_counts(const DeltaPair& pair, const FixedPoint& fixed, std::uint32_t largest,
                           StatisticPasses& passes) {
    StatisticPasses& cpu = cpu_passes();
    const std::uint32_t large = largest - largest / 8;
    for (const KeyRange& range : {KeyRange{0, magnitude_bits, 15}, KeyRange{0, magnitude_bits, 18},
                                  KeyRange{large, large + 0x7FFF, 0}, KeyRange{0, 0x7FFF, 7}})
        EXPECT_EQ(passes.count_keys(pair, fixed, range), cpu.count_keys(pair, fixed, range));
    compare_cuts(pair, fixed, passes);
    const MaskStream stream{5, 6, 7};
    EXPECT_EQ(passes.sums_by_level(pair, fixed, stream), cpu.sums_by_level(pair, fixed, stream));
}

/// All of a task vector's statistics.
inline void compare_delta(const DeltaPair& pair, const std::vector<std::int64_t>& row_lengths,
                          TestedPasses& tested) {
    StatisticPasses& cpu = cpu_passes();
    StatisticPasses& passes = tested.passes();
    const std::uint32_t largest = cpu.largest_magnitude(pair);
    ASSERT_EQ(passes.largest_magnitude(pair), largest);
    const FixedPoint fixed = fixed_point_of(largest);
    compare_counts(pair, fixed, largest, passes);
    for (const std::int64_t row_length : row_lengths)
        if (row_length <= pair.count && pair.count <= 50 * row_length)
            compare_ranks(pair, fixed, row_length, tested);
}

/// A base and some models of a matrix.
inline void draw_models(std::uint64_t index, const Shape& shape, std::int64_t models,
                        DeviceJobCase& made, TestedPasses& tested) {
    Draw draw(index);
    TensorJob& job = made.job;
    job.count = element_count(shape);
    job.row_length = shape.back();
    job.rows = shape.front();
    job.epsilon = draw.one_of({0.0f, 1e-5f, 0.25f});
    const bool coarse = draw.below(3) == 0;
    job.base = drawn_tensor(draw, coarse, made);
    tested.hold(job.base, job.count);
    for (std::int64_t i = 0; i < models; ++i) {
        job.inputs.emplace_back().tensor = drawn_tensor(draw, coarse, made);
        tested.hold(job.inputs.back().tensor, job.count);
    }
}

inline void compare_products(const TensorJob& job, StatisticPasses& passes) {
    StatisticPasses& cpu = cpu_passes();
    for (const bool deltas : {true, false}) {
        EXPECT_EQ(passes.products(job, deltas), cpu.products(job, deltas));
        for (const bool columns : {true, false})
            EXPECT_EQ(passes.line_products(job, deltas, columns),
                      cpu.line_products(job, deltas, columns));
    }
    const StoredTensor& model = job.inputs.front().tensor;
    const PairProducts found = passes.pair_products(job.base, model, job.count);
    const PairProducts expected = cpu.pair_products(job.base, model, job.count);
    EXPECT_EQ(found.aa, expected.aa);
    EXPECT_EQ(found.bb, expected.bb);
    EXPECT_EQ(found.ab, expected.ab);
}

inline void compare_selections(TensorJob job, StatisticPasses& passes) {
    StatisticPasses& cpu = cpu_passes();
    EXPECT_EQ(passes.count_varied(job), cpu.count_varied(job));
    EXPECT_EQ(passes.mean_squares(job), cpu.mean_squares(job));
    job.numbers.select_topk = 0.5;
    for (const std::int64_t k : {std::int64_t{1}, (job.count + 2) / 3, job.count}) {
        const KeyCut found = passes.cut_variance(job, k), expected = cpu.cut_variance(job, k);
        EXPECT_EQ(found.threshold, expected.threshold) << "k = " << k;
        EXPECT_EQ(found.last_tie, expected.last_tie) << "k = " << k;
        job.threshold = expected.threshold;
        job.last_tie = expected.last_tie;
        EXPECT_EQ(passes.mean_squares(job), cpu.mean_squares(job)) << "k = " << k;
    }
}

/// All statistics that jobs ask for.
inline void compare_job(const TensorJob& job, StatisticPasses& passes) {
    StatisticPasses& cpu = cpu_passes();
    compare_products(job, passes);
    compare_selections(job, passes);
    const std::vector<float> divergences = cpu.row_divergences(job);
    EXPECT_EQ(passes.row_divergences(job), divergences);
    const std::vector<std::int64_t> places{0, job.count / 4, job.count / 2, job.count - 1};
    EXPECT_EQ(passes.importances_at(job, divergences, places),
              cpu.importances_at(job, divergences, places));
    EXPECT_EQ(passes.count_changes(job), cpu.count_changes(job));
}

}  // namespace galapagos::test
