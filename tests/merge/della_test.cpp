#include "merge/della.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace galapagos {
namespace {

constexpr std::int64_t columns = 500;
constexpr std::int64_t rows = 2000;

/// Every row holds the magnitudes 1, 2, ... in an order of its own, with changing signs.
class Della : public ::testing::Test {
  protected:
    Della() : base_(static_cast<std::size_t>(columns * rows)), source_(base_.size()) {
        for (std::int64_t i = 0; i < columns * rows; ++i) {
            const std::int64_t row = i / columns;
            const std::int64_t magnitude = 1 + (7 * (i % columns) + 13 * row) % columns;
            source_[static_cast<std::size_t>(i)] =
                static_cast<float>(i % 3 == 0 ? -magnitude : magnitude);
        }
        pair_ = {stored(base_), stored(source_), columns * rows};
        ranks_ = magnitude_ranks(pair_, columns);
        input_.ranks = ranks_.data();
    }
    static StoredTensor stored(const std::vector<float>& values) {
        return {reinterpret_cast<const std::byte*>(values.data()), DType::f32};
    }
    /// What is left of the task vector.
    std::vector<float> thinned() {
        TensorJob job;
        job.seed = 3;
        auto buffers = std::make_unique<BlockBuffers>();
        std::vector<float> result = source_;
        for (std::int64_t at = 0; at < pair_.count; at += block_elements) {
            const std::int64_t count = std::min(block_elements, pair_.count - at);
            std::copy_n(source_.begin() + at, count, buffers->value);
            keep_by_rank(job, input_, at, count, *buffers);
            std::copy_n(buffers->value, count, result.begin() + at);
        }
        return result;
    }

    std::vector<float> base_, source_;
    std::vector<std::uint16_t> ranks_;
    DeltaPair pair_;
    JobInput input_;
};

TEST_F(Della, RanksGoFromTheSmallestToTheLargestOfARow) {
    for (std::size_t i = 0; i < ranks_.size(); ++i)
        ASSERT_EQ(ranks_[i], std::lround((std::abs(source_[i]) - 1) * 65535.0 / (columns - 1)));
    EXPECT_EQ(magnitude_ranks({stored(base_), stored(base_), 4}, 4),
              (std::vector<std::uint16_t>{0, 21845, 43690, 65535}));
    EXPECT_EQ(magnitude_ranks({stored(base_), stored(source_), 3}, 1),
              (std::vector<std::uint16_t>(3, 32768)));
}

TEST_F(Della, KeepsWithProbabilitiesThatGrowWithTheRank) {
    set_rank_probabilities(0.5, 0.2, input_);
    const std::vector<float> kept = thinned();
    std::vector<double> share(columns);
    for (std::size_t i = 0; i < kept.size(); ++i)
        share[static_cast<std::size_t>(std::abs(source_[i])) - 1] += (kept[i] != 0) / double{rows};
    for (std::size_t rank = 0; rank < share.size(); ++rank) {
        const double p = 0.3 + 0.4 * static_cast<double>(rank) / (columns - 1);
        EXPECT_NEAR(share[rank], p, 5 * std::sqrt(p * (1 - p) / rows)) << rank;
    }
}

TEST_F(Della, NormsAreThoseOfWhatIsKept) {
    set_rank_probabilities(0.4, 0.1, input_);
    const std::vector<float> kept = thinned();
    const FixedPoint fixed = fixed_point_of(pair_);
    const ThinnedNorms norms = thinned_norms(pair_, fixed, input_, {3, 0, 0});
    double before = 0, after = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        before += std::abs(source_[i]);
        after += std::abs(kept[i]);
    }
    EXPECT_EQ(static_cast<double>(norms.total) * fixed.unit, before);
    EXPECT_EQ(static_cast<double>(norms.kept) * fixed.unit, after);
}

TEST_F(Della, DividesByEachProbabilityIfAsked) {
    set_rank_probabilities(0.5, 0.2, input_);
    input_.inverse_p = true;
    const std::vector<float> kept = thinned();
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] == 0) continue;
        const double p = 0.3 + 0.4 * (std::abs(source_[i]) - 1) / (columns - 1);
        ASSERT_NEAR(kept[i] * p / source_[i], 1, 1e-4);
    }
}

}  // namespace
}  // namespace galapagos
