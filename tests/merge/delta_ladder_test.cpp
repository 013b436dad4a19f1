// Top-k thresholds against sorting.
#include "merge/delta_ladder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.hpp"
#include "merge/failing_passes.hpp"
#include "merge/magnitude_cuts.hpp"

namespace galapagos {
namespace {

/// Base zero, so that the source is the delta.
struct Deltas {
    std::vector<float> base, source;
    explicit Deltas(std::vector<float> values) : base(values.size()), source(std::move(values)) {}
    DeltaPair pair() const {
        return {{reinterpret_cast<const std::byte*>(base.data()), DType::f32},
                {reinterpret_cast<const std::byte*>(source.data()), DType::f32},
                static_cast<std::int64_t>(source.size())};
    }
};

/// What a stable descending sort by magnitude keeps.
std::vector<bool> kept_by_sorting(const std::vector<float>& values, std::int64_t k) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::abs(values[a]) > std::abs(values[b]);
    });
    std::vector<bool> kept(values.size());
    for (std::int64_t i = 0; i < k; ++i) kept[order[static_cast<std::size_t>(i)]] = true;
    return kept;
}

void expect_exact(const Deltas& deltas, const std::vector<std::int64_t>& ks) {
    const FixedPoint fixed = fixed_point_of(deltas.pair());
    DeltaLadder ladder(deltas.pair(), fixed);
    std::vector<CutRequest> requests(ks.size());
    for (std::size_t i = 0; i < ks.size(); ++i) {
        requests[i].ladder = &ladder;
        requests[i].k = ks[i];
    }
    find_cuts(requests);
    // And from what the ladder has learnt: one cut after the other, each in turn the last.
    std::vector<CutRequest> again = requests;
    for (std::size_t i = again.size(); i-- > 0;) find_cuts(std::span(again).subspan(i, 1));
    for (std::size_t i = 0; i < ks.size(); ++i) {
        EXPECT_EQ(again[i].last_tie, requests[i].last_tie) << "k = " << ks[i];
        EXPECT_EQ(again[i].kept_sum, requests[i].kept_sum) << "k = " << ks[i];
    }
    for (const CutRequest& cut : requests) {
        const std::vector<bool> expected = kept_by_sorting(deltas.source, cut.k);
        std::int64_t sum = 0;
        std::int64_t wrong = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const std::uint32_t key = std::bit_cast<std::uint32_t>(std::abs(deltas.source[i]));
            const bool kept = key > cut.threshold || (key == cut.threshold &&
                                                      static_cast<std::int64_t>(i) <= cut.last_tie);
            wrong += kept != expected[i];
            if (kept) sum += fixed.quantise(key);
        }
        EXPECT_EQ(wrong, 0) << "k = " << cut.k;
        EXPECT_EQ(sum, cut.kept_sum) << "k = " << cut.k;
    }
}

std::vector<float> normal_values(std::size_t count, std::uint64_t seed) {
    RandomStream random(seed, 0, Purpose::test, 0);
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(0.01 * random.normal());
    return values;
}

TEST(DeltaLadder, SmoothValues) {
    expect_exact(Deltas(normal_values(100'003, 1)),
                 {1, 2, 17, 1000, 20'000, 50'001, 90'000, 100'002, 100'003});
}

TEST(DeltaLadder, FewDistinctValues) {
    std::vector<float> values = normal_values(70'000, 2);
    for (float& value : values) value = std::round(value * 200) / 1024;
    expect_exact(Deltas(values), {1, 100, 5000, 30'000, 33'333, 65'000, 69'999});
}

TEST(DeltaLadder, CrowdedBucketOfManyValues) {
    // All within a thousandth of each other: one bucket of the first pass, many values.
    RandomStream random(3, 0, Purpose::test, 0);
    std::vector<float> values(60'000);
    for (float& value : values)
        value =
            static_cast<float>((random.uniform() < 0.5 ? -1 : 1) * (1 + 0.001 * random.uniform()));
    expect_exact(Deltas(values), {1, 600, 30'000, 59'999});
}

TEST(DeltaLadder, AllEqualAndAllZero) {
    expect_exact(Deltas(std::vector<float>(40'000, -0.5f)), {1, 39'999, 40'000, 32'768, 32'769});
    expect_exact(Deltas(std::vector<float>(3000, 0.0f)), {1, 1500, 3000});
    expect_exact(Deltas({0.25f}), {1});
}

TEST(DeltaLadder, ExtremeMagnitudes) {
    std::vector<float> values = {1e-45f, 1e-38f, -3e38f, 0, 1e-20f, -0.0f, 7, -7, 1e-45f, 2e38f};
    expect_exact(Deltas(values), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

/// Whichever pass fails: what it should have counted is counted the next time.
TEST(DeltaLadder, CutsAfterAPassThatFailed) {
    std::vector<float> values = normal_values(70'000, 2);
    for (float& value : values) value = std::round(value * 200) / 1024;
    const Deltas deltas(values);
    const FixedPoint fixed = fixed_point_of(deltas.pair());
    DeltaLadder undisturbed(deltas.pair(), fixed);
    CutRequest expected;
    expected.ladder = &undisturbed;
    expected.k = 30'000;  // among equal magnitudes
    find_cuts({&expected, 1});
    for (int failing = 2;; ++failing) {  // the first makes the ladder
        int calls = 0;
        test::FailingPasses passes([&] { return ++calls == failing; });
        DeltaLadder ladder(deltas.pair(), fixed, passes);
        CutRequest cut;
        cut.ladder = &ladder;
        cut.k = expected.k;
        bool failed = false;
        try {
            find_cuts({&cut, 1}, passes);
        } catch (const Error&) {
            failed = true;
            find_cuts({&cut, 1}, passes);
        }
        EXPECT_EQ(cut.threshold, expected.threshold);
        EXPECT_EQ(cut.last_tie, expected.last_tie);
        if (failed) continue;
        EXPECT_GT(failing, 2);
        break;
    }
}

TEST(DeltaLadder, ThreadsAndStorageDoNotMatter) {
    const std::vector<float> values = normal_values(50'000, 4);
    std::vector<std::byte> stored(2 * values.size() + 1);  // misaligned, as in a file
    from_float(values.data(), values.size(), stored.data() + 1, DType::bf16);
    std::vector<float> rounded(values.size());
    to_float(stored.data() + 1, DType::bf16, rounded.data(), rounded.size());
    const Deltas plain(rounded);
    DeltaPair pair = plain.pair();
    pair.source = {stored.data() + 1, DType::bf16};
    const FixedPoint fixed = fixed_point_of(pair);
    DeltaLadder ladder(pair, fixed), reference(plain.pair(), fixed);
    EXPECT_EQ(ladder.total(), reference.total());
    for (const std::int64_t k : {1, 1234, 25'000, 50'000}) {
        ladder.refine(k);
        reference.refine(k);
        EXPECT_EQ(ladder.step_of(k).low, reference.step_of(k).low);
        EXPECT_EQ(ladder.step_of(k).above, reference.step_of(k).above);
    }
}

TEST(FixedPoint, SumsAreAccurateAndFlagged) {
    const Deltas deltas(normal_values(100'000, 5));
    const FixedPoint fixed = fixed_point_of(deltas.pair());
    const DeltaLadder ladder(deltas.pair(), fixed);
    double exact = 0;
    for (const float value : deltas.source) exact += std::abs(static_cast<double>(value));
    EXPECT_NEAR(static_cast<double>(ladder.total()) * fixed.unit, exact, 1e-8 * exact);
    EXPECT_TRUE(fixed.finite);

    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
        const Deltas broken(std::vector<float>{1, bad, 2});
        const FixedPoint flagged = fixed_point_of(broken.pair());
        EXPECT_FALSE(flagged.finite);
        EXPECT_EQ(l1_rescale(flagged, 100, 50), 1);
    }
    EXPECT_EQ(l1_rescale(fixed, 100, 0), 1);  // nothing kept: nothing to rescale
}

}  // namespace
}  // namespace galapagos
