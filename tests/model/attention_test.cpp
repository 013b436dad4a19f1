// Attention over the cache against double precision, and what it promises: a segment's result
// depends neither on the segments beside it nor on what its tokens don't see.
#include "model/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "model/kernels/row_kernels.hpp"
#include "weights/dtype.hpp"

namespace galapagos {
namespace {

constexpr HeadCounts heads{6, 2, 20};
constexpr int64_t group = 3, width = 6 * 20, most_tokens = 160;
/// A prompt, one token, a prompt's continuation, and one that ends in a block of one token.
const std::vector<Segment> segments{{1, 0, 70}, {0, 5, 1}, {2, 30, 50}, {3, 2, 43}};
constexpr int64_t tokens = 70 + 1 + 50 + 43;

template <typename T>
std::vector<float> widened(const T* values, size_t count) {
    std::vector<float> wide(count);
    to_float(values, sizeof(T) == 4 ? DType::f32 : DType::bf16, wide.data(), count);
    return wide;
}

template <typename T>
class AttentionTest : public ::testing::Test {
  protected:
    AttentionTest() : cache(2, 4, heads.kv, most_tokens, heads.head_dim), queries(tokens * width) {
        fill(queries.data(), queries.size(), 1);
        fill(cache.keys(0, 0, 0), 2 * 4 * heads.kv * cache.head_stride(), 2);
        fill(cache.values(0, 0, 0), 2 * 4 * heads.kv * cache.head_stride(), 3);
    }

    static void fill(T* values, int64_t count, unsigned seed) {
        std::mt19937 engine(seed);
        std::normal_distribution<float> normal;
        std::vector<float> wide(static_cast<size_t>(count));
        for (float& value : wide) value = normal(engine);
        from_float(wide.data(), wide.size(), values, sizeof(T) == 4 ? DType::f32 : DType::bf16);
    }

    /// The output of some of the segments.
    std::vector<T> attend(size_t first, size_t count, const AttentionSettings& settings) {
        int64_t before = 0, here = 0;
        for (size_t i = 0; i < first; ++i) before += segments[i].count;
        for (size_t i = first; i < first + count; ++i) here += segments[i].count;
        std::vector<T> output(static_cast<size_t>(here * width));
        attention.run(std::span(segments).subspan(first, count), queries.data() + before * width,
                      cache, 1, settings, output.data());
        return output;
    }

    /// One token's output of one head, by definition.
    std::vector<double> expected(const Segment& segment, int64_t in_segment, const T* query,
                                 int64_t head, const AttentionSettings& settings) {
        const auto dim = static_cast<size_t>(heads.head_dim);
        const int64_t last = segment.position + in_segment;
        const int64_t first =
            settings.window == 0 ? 0 : std::max<int64_t>(0, last + 1 - settings.window);
        const auto size = static_cast<size_t>(last + 1) * dim;
        const auto q = widened(query, dim);
        const auto keys = widened(cache.keys(1, segment.row, head / group), size);
        const auto values = widened(cache.values(1, segment.row, head / group), size);
        std::vector<double> sum(dim);
        double total = 0;
        for (auto j = static_cast<size_t>(first); j <= static_cast<size_t>(last); ++j) {
            double score = 0;
            for (size_t d = 0; d < dim; ++d) score += static_cast<double>(q[d]) * keys[j * dim + d];
            score *= settings.scale;
            if (settings.softcap != 0)
                score = settings.softcap * std::tanh(score / settings.softcap);
            const double weight = std::exp(score);
            total += weight;
            for (size_t d = 0; d < dim; ++d) sum[d] += weight * values[j * dim + d];
        }
        for (double& value : sum) value /= total;
        return sum;
    }

    Attention<T> attention{heads, most_tokens};
    KvCache<T> cache;
    Buffer<T> queries;
};

using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(AttentionTest, ElementTypes);

const AttentionSettings all_settings[] = {
    {0.25F, 0, 0}, {0.25F, 24, 0}, {0.5F, 0, 2}, {0.25F, 7, 3}};

TYPED_TEST(AttentionTest, EqualsDoublePrecision) {
    using T = TypeParam;
    const double room = sizeof(T) == 4 ? 2e-6 : 1.0 / 100;
    for (const AttentionSettings& settings : all_settings) {
        const std::vector<T> output = this->attend(0, segments.size(), settings);
        int64_t token = 0;
        for (const Segment& segment : segments)
            for (int64_t t = 0; t < segment.count; ++t, ++token)
                for (int64_t head = 0; head < heads.query; ++head) {
                    const int64_t at = token * width + head * heads.head_dim;
                    const auto exact =
                        this->expected(segment, t, this->queries.data() + at, head, settings);
                    const auto actual = widened(output.data() + at, exact.size());
                    for (size_t d = 0; d < exact.size(); ++d)
                        ASSERT_NEAR(actual[d], exact[d], room * (1 + std::abs(exact[d])))
                            << "token " << token << ", head " << head << ", window "
                            << settings.window << ", cap " << settings.softcap;
                }
    }
}

TYPED_TEST(AttentionTest, SegmentsAreIndependent) {
    using T = TypeParam;
    for (const AttentionSettings& settings : all_settings) {
        const std::vector<T> together = this->attend(0, segments.size(), settings);
        auto place = together.begin();
        for (size_t i = 0; i < segments.size(); ++i) {
            const std::vector<T> alone = this->attend(i, 1, settings);
            EXPECT_TRUE(std::equal(alone.begin(), alone.end(), place)) << "segment " << i;
            place += static_cast<std::ptrdiff_t>(alone.size());
        }
    }
}

/// The first tokens of a segment have the same bits whatever follows.
TYPED_TEST(AttentionTest, LaterPositionsDoNotMatter) {
    using T = TypeParam;
    for (const AttentionSettings& settings : all_settings) {
        const std::vector<T> before = this->attend(0, 1, settings);
        for (int64_t head = 0; head < heads.kv; ++head) {
            const int64_t seen = 60 * heads.head_dim, rest = this->cache.head_stride() - seen;
            this->fill(this->cache.keys(1, segments[0].row, head) + seen, rest, 5);
            this->fill(this->cache.values(1, segments[0].row, head) + seen, rest, 6);
        }
        const std::vector<T> after = this->attend(0, 1, settings);
        EXPECT_TRUE(std::equal(before.begin(), before.begin() + 60 * width, after.begin()));
        EXPECT_FALSE(std::equal(before.begin(), before.end(), after.begin()));
        this->fill(this->cache.keys(0, 0, 0), 2 * 4 * heads.kv * this->cache.head_stride(), 2);
        this->fill(this->cache.values(0, 0, 0), 2 * 4 * heads.kv * this->cache.head_stride(), 3);
    }
}

}  // namespace
}  // namespace galapagos
