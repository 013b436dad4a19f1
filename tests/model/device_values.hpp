// Random rows for tests of the GPU's forward kernels, and what two results may differ by.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "model/cuda/elements.hpp"
#include "model/kernels/row_kernels.hpp"

namespace galapagos::test {

/// The CPU's kernels whose compiler fuses no multiply-add: element by element their bits are the
/// GPU's.
template <typename T>
const RowKernels<T>& plain_kernels() {
    return row_kernels<T>(InstructionSet::portable);
}

template <typename T>
std::vector<T> random_values(std::int64_t count, unsigned seed, float scale = 1.0F) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = cuda::narrow<T>(normal(engine));
    return values;
}

/// Half the distance between neighbours of type T around 1, relative.
template <typename T>
constexpr double half_ulp() {
    return std::is_same_v<T, float> ? 0x1p-24 : 0x1p-8;
}

/// Each element within `ulps` of T, or within `least`. Where a value is rounded twice, another
/// order of the sums before may move it by two.
template <typename T>
void expect_near(const std::vector<T>& actual, const std::vector<T>& expected, double ulps,
                 double least = 1e-6) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double a = cuda::widen(actual[i]), b = cuda::widen(expected[i]);
        ASSERT_LE(std::abs(a - b), std::max(least, 2 * ulps * half_ulp<T>() * std::abs(b)))
            << "element " << i << ": " << a << " and " << b;
    }
}

}  // namespace galapagos::test
