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
        return workload_seconds(architecture, {}, workload, {rank_flops, bandwidth, 0, 0, ""},
                                width);
    };
    EXPECT_DOUBLE_EQ(seconds(1e3, 1e30, 1), flops / 1e3);
    EXPECT_DOUBLE_EQ(seconds(1e30, 1e3, 1), bytes / 1e3);
    EXPECT_DOUBLE_EQ(seconds(1e30, 1e3, 4), bytes / 4e3);
}

/// Of the shapes of a 7B model, at width 8 in bf16.
TEST(Timing, SumsOverGpusAddTheirTimeOrHideBesideALongPass) {
    auto config = test::tiny_config({});
    config.update({{"hidden_size", 4096},
                   {"intermediate_size", 14336},
                   {"num_hidden_layers", 32},
                   {"num_attention_heads", 32},
                   {"num_key_value_heads", 8}});
    const auto architecture = Architecture::from_config(config, "config.json");
    constexpr double link = 300e9;
    const auto seconds = [&](std::int64_t tokens, double flops, Reductions reductions) {
        DecoderOptions options;
        options.reductions = reductions;
        Workload workload;
        workload.passes = {{tokens, tokens, tokens, 0, 0}};
        return workload_seconds(architecture, options, workload, {flops, 1e30, 0, link, ""}, 8);
    };
    const auto work = [&](std::int64_t tokens, double flops) {
        return pass_flops(architecture, {tokens, tokens, tokens, 0, 0}) / (8 * flops);
    };
    constexpr double hidden = 4096;
    const double few = 65 * (8 * hidden * 28 / link + collective_seconds);
    EXPECT_NEAR(seconds(8, 1e14, Reductions::exact), work(8, 1e14) + few, 1e-9);
    const double many = 65 * (256 * hidden * 5.25 / link + 2 * collective_seconds);
    EXPECT_NEAR(seconds(256, 1e14, Reductions::exact), work(256, 1e14) + many, 1e-9);
    const double fast = 65 * (256 * hidden * 7 / link + collective_seconds);
    EXPECT_NEAR(seconds(256, 1e14, Reductions::fast), work(256, 1e14) + fast, 1e-9);
    const double halves = 65 * 1024 * hidden * 5.25 / link + (2 + 64 * 4) * collective_seconds;
    EXPECT_NEAR(seconds(1024, 1e14, Reductions::exact), work(1024, 1e14), 1e-9);  // longer
    EXPECT_NEAR(seconds(1024, 1e18, Reductions::exact), halves, 1e-9);
}

}  // namespace
}  // namespace galapagos
