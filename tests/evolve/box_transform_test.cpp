#include "evolve/box_transform.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace galapagos {
namespace {

TEST(BoxTransform, IsTheIdentityInside) {
    for (const double y : {0.05, 0.3, 0.5, 0.95}) {
        EXPECT_NEAR(into_unit_interval(y), y, 1e-15);
        EXPECT_NEAR(from_unit_interval(y), y, 1e-15);
    }
}

TEST(BoxTransform, AgreesWithPycma) {
    // cma.transformations.BoxConstraintsLinQuadTransformation([[0, 1]]).transform([y])
    const double pairs[][2] = {{-0.05, 0.0}, {0.0, 0.0125}, {0.02, 0.0245}, {0.98, 0.9755},
                               {1.05, 1.0},  {1.1, 0.9875}, {1.6, 0.5},     {-0.3, 0.2},
                               {-0.6, 0.5},  {2.7, 0.5},    {-7.13, 0.43}};
    for (const auto& [y, u] : pairs) {
        EXPECT_NEAR(into_unit_interval(y), u, 1e-12) << y;
    }
}

TEST(BoxTransform, StaysInTheIntervalAndHasNoJump) {
    double previous = into_unit_interval(-5.0);
    for (int i = 1; i <= 100000; ++i) {
        const double value = into_unit_interval(-5.0 + 1e-4 * i);
        ASSERT_GE(value, 0.0);
        ASSERT_LE(value, 1.0);
        ASSERT_LE(std::abs(value - previous), 1.0001e-4);
        previous = value;
    }
}

TEST(BoxTransform, InverseReturnsToTheValue) {
    for (int i = 0; i <= 1000; ++i) {
        const double u = i / 1000.0;
        EXPECT_NEAR(into_unit_interval(from_unit_interval(u)), u, 1e-15);
    }
}

}  // namespace
}  // namespace galapagos
