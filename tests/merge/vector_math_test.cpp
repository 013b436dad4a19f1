#include "merge/vector_math.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace galapagos {
namespace {

/// Distance in units of the last place of what is expected.
double units_off(double found, long double expected) {
    const double rounded = static_cast<double>(expected);
    const double unit = std::nextafter(rounded, INFINITY) - rounded;
    return static_cast<double>(std::fabs(static_cast<long double>(found) - expected) / unit);
}

TEST(VectorMath, ExponentialOfNegative) {
    EXPECT_EQ(exp_of_negative(0), 1);
    std::mt19937_64 random(1);
    for (int i = 0; i < 200'000; ++i) {
        const double spread = i % 3 == 0 ? 1e-6 : i % 3 == 1 ? 1 : 708;
        const double x = -spread * std::uniform_real_distribution<double>(0, 1)(random);
        ASSERT_LT(units_off(exp_of_negative(x), expl(x)), 2) << x;
    }
    EXPECT_EQ(exp_of_negative(-1e30), exp_of_negative(-708));
    EXPECT_GT(exp_of_negative(-1e30), 0);
}

TEST(VectorMath, LogarithmOfPositive) {
    EXPECT_EQ(log_of_positive(1), 0);
    std::mt19937_64 random(2);
    for (int i = 0; i < 200'000; ++i) {
        const double spread = i % 3 == 0 ? 1e-6 : i % 3 == 1 ? 1 : 600;
        const double x = std::exp(spread * std::uniform_real_distribution<double>(-1, 1)(random));
        ASSERT_LT(units_off(log_of_positive(x), logl(x)), 2) << x;
    }
}

}  // namespace
}  // namespace galapagos
