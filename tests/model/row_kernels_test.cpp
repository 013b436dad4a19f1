// Every instruction set's kernels against plain double-precision formulas.
#include "model/kernels/row_kernels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "weights/dtype.hpp"

namespace galapagos {
namespace {

template <typename T>
struct Traits;
template <>
struct Traits<float> {
    static constexpr DType dtype = DType::f32;
    static constexpr double tolerance = 2e-6;
};
template <>
struct Traits<Bf16> {
    static constexpr DType dtype = DType::bf16;
    static constexpr double tolerance = 1.0 / 120;
};

template <typename T>
std::vector<float> values_of(const std::vector<T>& narrow) {
    std::vector<float> wide(narrow.size());
    to_float(narrow.data(), Traits<T>::dtype, wide.data(), wide.size());
    return wide;
}

template <typename T>
std::vector<T> random_values(size_t count, unsigned seed, float scale = 1.0F) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> wide(count);
    for (float& value : wide) value = normal(engine);
    std::vector<T> narrow(count);
    from_float(wide.data(), count, narrow.data(), Traits<T>::dtype);
    return narrow;
}

template <typename T>
class RowKernelsTest : public ::testing::Test {
  protected:
    /// Calls the body with the kernels of every instruction set.
    template <typename Body>
    void for_each_variant(Body&& body) {
        for (const InstructionSet set : supported_instruction_sets()) {
            SCOPED_TRACE(name_of(set));
            body(row_kernels<T>(set));
        }
    }
    void expect_close(const std::vector<double>& expected, const std::vector<T>& actual) {
        const std::vector<float> wide = values_of(actual);
        for (size_t i = 0; i < expected.size(); ++i)
            EXPECT_NEAR(wide[i], expected[i],
                        Traits<T>::tolerance * std::max(1.0, std::abs(expected[i])))
                << "element " << i;
    }
};

using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(RowKernelsTest, ElementTypes);

TYPED_TEST(RowKernelsTest, AddRmsNorm) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        for (const size_t width : {5U, 32U, 100U}) {
            std::vector<T> residual = random_values<T>(width, 1);
            const std::vector<T> delta = random_values<T>(width, 2);
            const std::vector<T> weight = random_values<T>(width, 3);
            std::vector<double> sum(width), expected(width);
            double squares = 0;
            for (size_t i = 0; i < width; ++i) {
                sum[i] = static_cast<double>(values_of(residual)[i]) + values_of(delta)[i];
                squares += sum[i] * sum[i];
            }
            const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
            for (size_t i = 0; i < width; ++i) expected[i] = sum[i] * scale * values_of(weight)[i];
            std::vector<T> normed(width);
            const Norm<T> norm{NormKind::rms, weight.data(), nullptr, 1e-5F};
            kernels.add_norm(residual.data(), delta.data(), norm, normed.data(),
                             static_cast<int64_t>(width));
            this->expect_close(sum, residual);
            this->expect_close(expected, normed);
            std::vector<T> again(width);
            kernels.add_norm(residual.data(), nullptr, norm, again.data(),
                             static_cast<int64_t>(width));
            EXPECT_EQ(again, normed);
        }
    });
}

TYPED_TEST(RowKernelsTest, RotatesHalves) {
    using T = TypeParam;
    const std::vector<float> cosines{0.5F, -0.25F, 1.0F}, sines{0.75F, 0.5F, 0.0F};
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        std::vector<T> heads = random_values<T>(12, 4);
        const std::vector<float> before = values_of(heads);
        std::vector<double> expected(12);
        for (size_t head = 0; head < 12; head += 6)
            for (size_t d = 0; d < 3; ++d) {
                const double a = before[head + d], b = before[head + d + 3];
                expected[head + d] = a * cosines[d] - b * sines[d];
                expected[head + d + 3] = b * cosines[d] + a * sines[d];
            }
        kernels.rotate(heads.data(), 2, 6, 6, cosines.data(), sines.data());
        this->expect_close(expected, heads);
    });
}

TYPED_TEST(RowKernelsTest, RotatesTheFirstElementsOnly) {
    using T = TypeParam;
    const std::vector<float> cosines{0.5F, -0.25F}, sines{0.75F, 0.5F};
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        std::vector<T> whole = random_values<T>(6, 4);
        std::vector<T> part(whole.begin(), whole.begin() + 4);
        const std::vector<T> before = whole;
        kernels.rotate(whole.data(), 1, 6, 4, cosines.data(), sines.data());
        kernels.rotate(part.data(), 1, 4, 4, cosines.data(), sines.data());
        EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
        EXPECT_TRUE(std::equal(before.begin() + 4, before.end(), whole.begin() + 4));
    });
}

TYPED_TEST(RowKernelsTest, NormsOfOtherKinds) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        const size_t width = 83;
        std::vector<T> x = random_values<T>(width, 1, 3.0F);
        const std::vector<T> weight = random_values<T>(width, 2), bias = random_values<T>(width, 3);
        double mean = 0, square = 0, variance = 0;
        for (const double value : values_of(x)) {
            mean += value / static_cast<double>(width);
            square += value * value / static_cast<double>(width);
        }
        for (const double value : values_of(x))
            variance += (value - mean) * (value - mean) / static_cast<double>(width);
        std::vector<double> offset(width), layer(width);
        for (size_t i = 0; i < width; ++i) {
            const double value = values_of(x)[i], w = values_of(weight)[i];
            offset[i] = value / std::sqrt(square + 1e-5) * (1 + w);
            layer[i] = (value - mean) / std::sqrt(variance + 1e-5) * w + values_of(bias)[i];
        }
        std::vector<T> normed(width);
        kernels.add_norm(x.data(), nullptr, {NormKind::rms_plus_one, weight.data(), nullptr, 1e-5F},
                         normed.data(), width);
        this->expect_close(offset, normed);
        kernels.add_norm(x.data(), nullptr, {NormKind::layer, weight.data(), bias.data(), 1e-5F},
                         x.data(), width);
        this->expect_close(layer, x);
    });
}

TYPED_TEST(RowKernelsTest, ActivationsAndCaps) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        const std::vector<T> x = random_values<T>(300, 5, 12.0F);
        std::vector<double> gelu, tanh, capped;
        for (const double v : values_of(x)) {
            gelu.push_back(0.5 * v * (1 + std::erf(v / std::sqrt(2.0))));
            tanh.push_back(0.5 * v *
                           (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))));
            capped.push_back(5 * std::tanh(v / 5));
        }
        std::vector<T> a = x, b = x, c = x;
        kernels.activate(Activation::gelu, a.data(), nullptr, 300);
        this->expect_close(gelu, a);
        kernels.activate(Activation::gelu_tanh, b.data(), nullptr, 300);
        this->expect_close(tanh, b);
        kernels.soft_cap(c.data(), 300, 5.0F);
        this->expect_close(capped, c);
    });
}

TYPED_TEST(RowKernelsTest, SiluMultiply) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        std::vector<T> gate = random_values<T>(200, 5, 30.0F);
        const std::vector<T> up = random_values<T>(200, 6);
        std::vector<double> expected(200);
        for (size_t i = 0; i < 200; ++i) {
            const double x = values_of(gate)[i];
            expected[i] = x / (1 + std::exp(-x)) * values_of(up)[i];
        }
        kernels.activate(Activation::silu, gate.data(), up.data(), 200);
        this->expect_close(expected, gate);
    });
}

TYPED_TEST(RowKernelsTest, Attention) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        const AttentionShape shape{3, 37, 24, 0.3F, 0.0F};
        const auto queries = random_values<T>(3 * 24, 7, 2.0F);
        const auto keys = random_values<T>(37 * 24, 8), values = random_values<T>(37 * 24, 9);
        std::vector<double> expected(3 * 24, 0.0);
        for (size_t g = 0; g < 3; ++g) {
            std::vector<double> weights(37);
            double total = 0;
            for (size_t j = 0; j < 37; ++j) {
                double score = 0;
                for (size_t d = 0; d < 24; ++d)
                    score += static_cast<double>(values_of(queries)[g * 24 + d]) *
                             values_of(keys)[j * 24 + d];
                total += weights[j] = std::exp(score * 0.3);
            }
            for (size_t j = 0; j < 37; ++j)
                for (size_t d = 0; d < 24; ++d)
                    expected[g * 24 + d] += weights[j] / total * values_of(values)[j * 24 + d];
        }
        std::vector<T> output(3 * 24);
        std::vector<float> scratch(3 * (37 + 2 * 24));
        kernels.attend(queries.data(), keys.data(), values.data(), output.data(), scratch.data(),
                       shape);
        this->expect_close(expected, output);
    });
}

TYPED_TEST(RowKernelsTest, WeighsWhatAQuerySees) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        for (const float cap : {0.0F, 2.0F})
            for (const auto& [first, last] :
                 {std::pair<int64_t, int64_t>{0, 1}, {3, 40}, {0, 50}}) {
                const std::vector<float> given = values_of(random_values<float>(50, 11, 3.0F));
                std::vector<float> scores = given;
                std::vector<double> expected(50, 0.0);
                const auto score = [&](int64_t j) {
                    const double plain = 0.5 * given[static_cast<size_t>(j)];
                    return cap == 0 ? plain : cap * std::tanh(plain / cap);
                };
                double maximum = score(first), sum = 0;
                for (int64_t j = first; j < last; ++j) maximum = std::max(maximum, score(j));
                for (int64_t j = first; j < last; ++j)
                    sum += expected[static_cast<size_t>(j)] = std::exp(score(j) - maximum);
                std::vector<T> weights = random_values<T>(50, 12);
                EXPECT_NEAR(
                    kernels.weigh({scores.data(), 50, first, last, 0.5F, cap}, weights.data()), sum,
                    1e-5 * sum);
                this->expect_close(expected, weights);
            }
        const std::vector<float> sum = values_of(random_values<float>(37, 13));
        std::vector<double> expected(sum.begin(), sum.end());
        for (double& value : expected) value /= 7;
        std::vector<T> output(37);
        kernels.divide(sum.data(), 7.0F, output.data(), 37);
        this->expect_close(expected, output);
    });
}

TYPED_TEST(RowKernelsTest, StatisticsOfLogits) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        for (const size_t count : {1U, 15U, 16U, 1000U}) {
            std::vector<T> logits = random_values<T>(count, 10, 5.0F);
            const std::vector<float> wide = values_of(logits);
            size_t best = 0;
            for (size_t i = 1; i < count; ++i)
                if (wide[i] > wide[best]) best = i;
            double sum = 0;
            for (const float x : wide) sum += std::exp(static_cast<double>(x) - wide[best]);
            const auto found = kernels.shard_statistics(logits.data(), static_cast<int64_t>(count));
            EXPECT_EQ(found.argmax, static_cast<int32_t>(best));
            EXPECT_EQ(found.maximum, wide[best]);
            EXPECT_NEAR(found.sum_exp, sum, 1e-5 * sum);
        }
    });
}

TYPED_TEST(RowKernelsTest, StatisticsPreferTheLowestIdAndReportNaN) {
    using T = TypeParam;
    this->for_each_variant([&](const RowKernels<T>& kernels) {
        std::vector<float> wide(100, -1.0F);
        wide[93] = wide[41] = wide[60] = 2.0F;
        std::vector<T> logits(100);
        from_float(wide.data(), 100, logits.data(), Traits<T>::dtype);
        EXPECT_EQ(kernels.shard_statistics(logits.data(), 100).argmax, 41);
        for (const size_t place : {3U, 99U}) {
            std::vector<float> broken = wide;
            broken[place] = std::numeric_limits<float>::quiet_NaN();
            from_float(broken.data(), 100, logits.data(), Traits<T>::dtype);
            EXPECT_TRUE(std::isnan(kernels.shard_statistics(logits.data(), 100).maximum));
        }
    });
}

}  // namespace
}  // namespace galapagos
