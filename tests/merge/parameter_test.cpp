#include "merge/parameter.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace galapagos {
namespace {

TEST(Parameter, GradientIsInterpolated) {
    const ParameterSetting gradient(std::vector<double>{0, 0.5, 0.3});
    EXPECT_DOUBLE_EQ(*evaluate_number(gradient, "x", 0), 0);
    EXPECT_DOUBLE_EQ(*evaluate_number(gradient, "x", 0.25), 0.25);
    EXPECT_DOUBLE_EQ(*evaluate_number(gradient, "x", 0.5), 0.5);
    EXPECT_DOUBLE_EQ(*evaluate_number(gradient, "x", 0.75), 0.4);
    EXPECT_DOUBLE_EQ(*evaluate_number(gradient, "x", 1), 0.3);
}

TEST(Parameter, FirstFittingFilterCounts) {
    const ParameterSetting setting(
        std::vector<ParameterCase>{{"self_attn", {0.25}}, {"mlp", {0.0, 1.0}}, {"mlp.up", {9.0}}});
    EXPECT_DOUBLE_EQ(*evaluate_number(setting, "model.layers.0.self_attn.q_proj.weight", 0.5),
                     0.25);
    EXPECT_DOUBLE_EQ(*evaluate_number(setting, "model.layers.0.mlp.up_proj.weight", 0.5), 0.5);
    EXPECT_FALSE(evaluate_number(setting, "lm_head.weight", 0.5).has_value());
    const ParameterSetting star(std::vector<ParameterCase>{{"*", {2.0}}});
    EXPECT_DOUBLE_EQ(*evaluate_number(star, "lm_head.weight", 0.5), 2);
}

TEST(Parameter, ChoicesAreNotInterpolated) {
    const ParameterSetting setting(std::vector<ParameterCase>{{"", {true, false, true}}});
    EXPECT_EQ(as_flag(*evaluate_choice(setting, "x", 0)), true);
    EXPECT_EQ(as_flag(*evaluate_choice(setting, "x", 0.49)), true);
    EXPECT_EQ(as_flag(*evaluate_choice(setting, "x", 0.99)), false);
    EXPECT_EQ(as_flag(*evaluate_choice(setting, "x", 1)), true);
}

TEST(Parameter, ScalarsReadAsMergekitReadsThem) {
    EXPECT_EQ(as_number(std::string("1e-3")), 1e-3);  // text for YAML 1.1
    EXPECT_EQ(as_number(true), 1);
    EXPECT_FALSE(as_number(std::string("nan")).has_value());
    EXPECT_FALSE(as_number(std::string("0.5x")).has_value());
    EXPECT_EQ(as_flag(1.0), true);
    EXPECT_EQ(as_flag(std::string("Off")), false);
    EXPECT_FALSE(as_flag(0.5).has_value());
    const ParameterSetting bad("much");
    EXPECT_THROW(evaluate_number(bad, "x", 0), Error);
}

}  // namespace
}  // namespace galapagos
