// Matrix products of every instruction set against the portable ones, and what all of them promise:
// an element has the same bits whatever rows and columns are computed with it.
#include "model/kernels/matrix_kernels.hpp"

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
std::vector<T> random_values(int64_t count, unsigned seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    std::vector<float> wide(static_cast<size_t>(count));
    for (float& value : wide) value = normal(engine);
    std::vector<T> narrow(wide.size());
    from_float(wide.data(), wide.size(), narrow.data(), dtype_of<T>);
    return narrow;
}

/// One product, its operands, and a place for its outputs.
template <typename T>
struct Case {
    Case(int64_t rows, int64_t in, int64_t out)
        : input(random_values<T>(rows * in, 1)),
          weight(random_values<T>(out * in, 2)),
          bias(random_values<T>(out, 3)),
          task{input.data(), rows, weight.data(), bias.data(), in, out, 0, out, nullptr, nullptr} {}

    /// Rows [row, row + rows) and columns [first, last), in fp32; the other elements are NaN.
    std::vector<float> wide(const MatrixKernels<T>& kernels, bool transposed, int64_t row,
                            int64_t rows, int64_t first, int64_t last) const {
        std::vector<float> result(static_cast<size_t>(task.rows * task.out), std::nanf(""));
        MatrixTask<T> part = task;
        part.input += row * part.in;
        part.rows = rows;
        part.first = first;
        part.last = last;
        part.wide = result.data() + row * part.out;
        (transposed ? kernels.multiply_transposed : kernels.multiply)(part);
        return result;
    }
    std::vector<float> wide(const MatrixKernels<T>& kernels, bool transposed) const {
        return wide(kernels, transposed, 0, task.rows, 0, task.out);
    }
    std::vector<float> narrow(const MatrixKernels<T>& kernels, bool transposed) const {
        std::vector<T> result(static_cast<size_t>(task.rows * task.out));
        MatrixTask<T> whole = task;
        whole.output = result.data();
        (transposed ? kernels.multiply_transposed : kernels.multiply)(whole);
        std::vector<float> widened(result.size());
        to_float(result.data(), dtype_of<T>, widened.data(), widened.size());
        return widened;
    }

    std::vector<T> input, weight, bias;
    MatrixTask<T> task;
};

template <typename T>
class MatrixKernelsTest : public ::testing::Test {
  protected:
    /// Calls the body with the kernels of every instruction set, for both ways that weights lie.
    template <typename Body>
    void for_each_kernel(Body&& body) {
        std::vector<const MatrixKernels<T>*> list;
        for (const InstructionSet set : supported_instruction_sets())
            list.push_back(&matrix_kernels<T>(set));
        if constexpr (std::is_same_v<T, Bf16>)
            if (const auto* dot = dot_product_kernels()) list.push_back(dot);
        for (const MatrixKernels<T>* kernels : list)
            for (const bool transposed : {false, true}) {
                SCOPED_TRACE(std::string(kernels->name) + (transposed ? ", transposed" : ""));
                body(*kernels, transposed);
            }
    }
};

using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(MatrixKernelsTest, ElementTypes);

TYPED_TEST(MatrixKernelsTest, EqualThePortableOnes) {
    using T = TypeParam;
    const MatrixKernels<T>& portable = matrix_kernels<T>(InstructionSet::portable);
    // Sizes around those of tiles, vectors and chunks.
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 50, 300})
        for (const int64_t in : {1, 16, 83, 1030})
            for (const int64_t out : {1, 6, 32, 70, 530}) {
                const Case<T> product(rows, in, out);
                this->for_each_kernel([&](const MatrixKernels<T>& kernels, bool transposed) {
                    const auto expected = product.wide(portable, transposed);
                    const auto wide = product.wide(kernels, transposed);
                    const auto narrow = product.narrow(kernels, transposed);
                    const double room = 2e-6 * std::sqrt(static_cast<double>(in)) + 1e-6;
                    for (size_t i = 0; i < expected.size(); ++i) {
                        const double size = 1 + std::abs(static_cast<double>(expected[i]));
                        ASSERT_NEAR(wide[i], expected[i], room * size) << "element " << i;
                        const double rounding = sizeof(T) == 4 ? 0 : 1.0 / 256;
                        ASSERT_NEAR(narrow[i], expected[i], (room + rounding) * size);
                    }
                });
            }
}

TYPED_TEST(MatrixKernelsTest, PortableOnesEqualDoublePrecision) {
    using T = TypeParam;
    const Case<T> product(5, 2100, 11);
    std::vector<float> input(product.input.size()), weight(product.weight.size());
    std::vector<float> bias(product.bias.size());
    to_float(product.input.data(), dtype_of<T>, input.data(), input.size());
    to_float(product.weight.data(), dtype_of<T>, weight.data(), weight.size());
    to_float(product.bias.data(), dtype_of<T>, bias.data(), bias.size());
    const auto& kernels = matrix_kernels<T>(InstructionSet::portable);
    for (const bool transposed : {false, true}) {
        const auto actual = product.wide(kernels, transposed);
        for (size_t row = 0; row < 5; ++row)
            for (size_t column = 0; column < 11; ++column) {
                double sum = bias[column];
                for (size_t k = 0; k < 2100; ++k)
                    sum += static_cast<double>(input[row * 2100 + k]) *
                           weight[transposed ? k * 11 + column : column * 2100 + k];
                ASSERT_NEAR(actual[row * 11 + column], sum, 1e-3);
            }
    }
}

TYPED_TEST(MatrixKernelsTest, ElementsDoNotDependOnTheirCompany) {
    using T = TypeParam;
    for (const int64_t in : {83, 1100}) {
        const Case<T> product(67, in, 45);
        this->for_each_kernel([&](const MatrixKernels<T>& kernels, bool transposed) {
            const auto whole = product.wide(kernels, transposed);
            for (const int64_t rows : {1, 2, 3, 4, 5, 6, 23})
                for (const int64_t columns : {8, 24}) {
                    const int64_t row = 67 - rows - 3, first = 16;
                    const auto part =
                        product.wide(kernels, transposed, row, rows, first, first + columns);
                    for (int64_t r = 0; r < 67; ++r)
                        for (int64_t c = 0; c < 45; ++c) {
                            const auto at = static_cast<size_t>(r * 45 + c);
                            const bool inside =
                                r >= row && r < row + rows && c >= first && c < first + columns;
                            if (inside)
                                ASSERT_EQ(part[at], whole[at]) << rows << " rows, element " << at;
                            else
                                ASSERT_TRUE(std::isnan(part[at])) << "writes beyond its columns";
                        }
                }
        });
    }
}

TYPED_TEST(MatrixKernelsTest, NotANumberAndInfinityComeThrough) {
    using T = TypeParam;
    Case<T> product(4, 40, 8);
    const std::vector<float> odd{std::nanf(""), INFINITY};
    std::vector<T> narrow(2);
    from_float(odd.data(), 2, narrow.data(), dtype_of<T>);
    product.input[0] = narrow[0];
    product.input[40 + 7] = narrow[1];
    this->for_each_kernel([&](const MatrixKernels<T>& kernels, bool transposed) {
        const auto result = product.narrow(kernels, transposed);
        for (size_t column = 0; column < 8; ++column) {
            EXPECT_TRUE(std::isnan(result[column]));
            EXPECT_TRUE(std::isinf(result[8 + column]));
            EXPECT_TRUE(std::isfinite(result[16 + column]));
        }
    });
}

TYPED_TEST(MatrixKernelsTest, NotANumberStaysInItsRowAndColumn) {
    using T = TypeParam;
    const float odd = std::nanf("");
    T narrow;
    from_float(&odd, 1, &narrow, dtype_of<T>);
    for (const int64_t rows : {4, 20}) {
        Case<T> product(rows, 40, 8);
        product.input[2 * 40] = narrow;
        const std::vector<T> weight = product.weight;
        this->for_each_kernel([&](const MatrixKernels<T>& kernels, bool transposed) {
            std::copy(weight.begin(), weight.end(), product.weight.begin());
            product.weight[transposed ? 5 : 5 * 40] = narrow;
            const auto result = product.wide(kernels, transposed);
            for (size_t i = 0; i < result.size(); ++i)
                EXPECT_EQ(std::isnan(result[i]), i / 8 == 2 || i % 8 == 5) << "element " << i;
        });
    }
}

/// Some processors' instructions take the smallest values for zero; nothing else may change.
TYPED_TEST(MatrixKernelsTest, SubnormalsCountAsThemselvesOrAsZero) {
    using T = TypeParam;
    Case<T> product(20, 70, 40);
    const std::vector<float> values{1.0F, 1e-39F, -3e-39F};
    std::vector<T> narrow(values.size());
    from_float(values.data(), values.size(), narrow.data(), dtype_of<T>);
    std::fill(product.input.begin(), product.input.end(), narrow[0]);
    for (size_t i = 0; i < product.weight.size(); ++i)
        product.weight[i] = i % 41 == 0 ? narrow[0] : narrow[1 + i % 2];
    product.task.bias = nullptr;
    this->for_each_kernel([&](const MatrixKernels<T>& kernels, bool transposed) {
        std::vector<float> ones(static_cast<size_t>(product.task.out), 0.0F);
        for (size_t i = 0; i < product.weight.size(); i += 41)
            ones[transposed ? i % ones.size() : i / 70] += 1.0F;
        const auto actual = product.wide(kernels, transposed);
        for (size_t i = 0; i < actual.size(); ++i)
            ASSERT_NEAR(actual[i], ones[i % ones.size()], 70 * 3e-39) << "element " << i;
    });
}

}  // namespace
}  // namespace galapagos
