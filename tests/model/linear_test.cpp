// Matrix products against double precision, at sizes that are no multiple of any tile or vector.
#include "model/linear.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "weights/dtype.hpp"

namespace galapagos {
namespace {

template <typename T>
constexpr DType dtype_of = sizeof(T) == 4 ? DType::f32 : DType::bf16;

template <typename T>
struct Operand {
    Operand(int64_t count, unsigned seed) : wide(static_cast<size_t>(count)), narrow(wide.size()) {
        std::mt19937 engine(seed);
        std::normal_distribution<float> normal;
        for (float& value : wide) value = normal(engine);
        from_float(wide.data(), wide.size(), narrow.data(), dtype_of<T>);
        to_float(narrow.data(), dtype_of<T>, wide.data(), wide.size());
    }
    std::vector<float> wide;
    std::vector<T> narrow;
};

template <typename T>
std::vector<float> widened(const std::vector<T>& narrow) {
    std::vector<float> wide(narrow.size());
    to_float(narrow.data(), dtype_of<T>, wide.data(), wide.size());
    return wide;
}

template <typename T>
class LinearTest : public ::testing::Test {};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(LinearTest, ElementTypes);

TYPED_TEST(LinearTest, EqualsDoublePrecision) {
    using T = TypeParam;
    for (const int64_t rows : {1, 2, 3, 4, 7, 12, 41})
        for (const int64_t in : {1, 16, 50, 96})
            for (const int64_t out : {1, 6, 37}) {
                const Operand<T> input(rows * in, 1), weight(out * in, 2), bias(out, 3);
                const Linear<T> layer{weight.narrow.data(), bias.narrow.data(), out, in};
                std::vector<T> output(static_cast<size_t>(rows * out));
                std::vector<float> partial(output.size());
                linear(layer, input.narrow.data(), rows, output.data());
                linear_partial(layer, input.narrow.data(), rows, partial.data());
                const std::vector<float> rounded = widened(output);
                for (int64_t i = 0; i < rows * out; ++i) {
                    double sum = 0;
                    for (int64_t k = 0; k < in; ++k)
                        sum +=
                            static_cast<double>(input.wide[static_cast<size_t>(i / out * in + k)]) *
                            weight.wide[static_cast<size_t>(i % out * in + k)];
                    const auto at = static_cast<size_t>(i);
                    const double expected = sum + bias.wide[static_cast<size_t>(i % out)];
                    const double room = sizeof(T) == 4 ? 1e-5 : std::abs(expected) / 250 + 1e-4;
                    ASSERT_NEAR(rounded[at], expected, room);
                    ASSERT_NEAR(partial[at], sum, 1e-4);
                }
            }
}

TYPED_TEST(LinearTest, RowsAreIndependent) {
    using T = TypeParam;
    const int64_t in = 83, out = 29, rows = 40;
    const Operand<T> input(rows * in, 1), weight(out * in, 2);
    const Linear<T> layer{weight.narrow.data(), nullptr, out, in};
    std::vector<T> together(static_cast<size_t>(rows * out));
    linear(layer, input.narrow.data(), rows, together.data());
    for (const int64_t count : {1, 2, 3, 5, 6, 17}) {
        for (int64_t first = 0; first + count <= rows; first += count) {
            std::vector<T> some(static_cast<size_t>(count * out));
            linear(layer, input.narrow.data() + first * in, count, some.data());
            ASSERT_TRUE(std::equal(some.begin(), some.end(), together.begin() + first * out));
        }
    }
}

TYPED_TEST(LinearTest, ProductsOfOneInput) {
    using T = TypeParam;
    const Operand<T> input(5 * 20, 1), a(9 * 20, 2), b(31 * 20, 3);
    const Linear<T> first{a.narrow.data(), nullptr, 9, 20},
        second{b.narrow.data(), nullptr, 31, 20};
    std::vector<T> ya(5 * 9), yb(5 * 31), expected_a(5 * 9), expected_b(5 * 31);
    const Product<T> products[2] = {{first, ya.data()}, {second, yb.data()}};
    multiply<T>(input.narrow.data(), 5, products);
    linear(first, input.narrow.data(), 5, expected_a.data());
    linear(second, input.narrow.data(), 5, expected_b.data());
    EXPECT_EQ(ya, expected_a);
    EXPECT_EQ(yb, expected_b);
}

}  // namespace
}  // namespace galapagos
