#include "forecast/timing.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "support/tiny_models.hpp"

namespace galapagos {
namespace {

TEST(Timing, SpreadIsThatOfTheLogarithms) {
    EXPECT_DOUBLE_EQ(spread_of({3, 3, 3}).mean, 3);
    EXPECT_NEAR(spread_of({3, 3, 3}).sigma, 0, 1e-12);
    const TimeSpread spread = spread_of({std::exp(1.0), std::exp(3.0)});
    EXPECT_DOUBLE_EQ(spread.mean, (std::exp(1.0) + std::exp(3.0)) / 2);
    EXPECT_DOUBLE_EQ(spread.sigma, 1);
}

TEST(Timing, ThePassWaitsForArithmeticOrMemory) {
    const auto architecture = Architecture::from_config(test::tiny_config({}), "config.json");
    Workload workload;
    workload.passes = {{10, 2, 2, 55, 10}, {1, 1, 1, 11, 11}};
    double flops = 0, bytes = 0;
    for (const PassWork& pass : workload.passes) {
        flops += pass_flops(architecture, pass);
        bytes += pass_bytes(architecture, DType::bf16, pass);
    }
    const auto seconds = [&](double rank_flops, double bandwidth, int width) {
        return workload_seconds(architecture, DType::bf16, workload, {rank_flops, bandwidth, 0, ""},
                                width);
    };
    EXPECT_DOUBLE_EQ(seconds(1e3, 1e30, 1), flops / 1e3);
    EXPECT_DOUBLE_EQ(seconds(1e30, 1e3, 1), bytes / 1e3);
    EXPECT_DOUBLE_EQ(seconds(1e30, 1e3, 4), bytes / 4e3);
}

}  // namespace
}  // namespace galapagos
