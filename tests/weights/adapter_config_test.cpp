#include "weights/adapter_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/temporary_folder.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* q0 = "model.layers.0.self_attn.q_proj";
constexpr const char* q10 = "model.layers.10.self_attn.q_proj";
constexpr const char* up0 = "model.layers.0.mlp.up_proj";

/// A plain configuration with some settings changed.
AdapterConfig read(const json& changes = json::object()) {
    const galapagos::testing::TemporaryFolder folder;
    json config = {{"peft_type", "LORA"},
                   {"r", 4},
                   {"lora_alpha", 8},
                   {"target_modules", {"q_proj"}},
                   {"bias", "none"}};
    config.update(changes);
    std::ofstream(folder / "adapter_config.json") << config.dump();
    return AdapterConfig(folder / "adapter_config.json");
}

std::string refusal(const json& changes) {
    return test::error_of([&] { read(changes); });
}

bool selects(const json& changes, const char* module, bool head = false) {
    return read(changes).selector().selects(module, head);
}

TEST(AdapterConfig, ScalesByAlphaOverRank) {
    EXPECT_DOUBLE_EQ(read().scaling(q0), 2.0);
    EXPECT_DOUBLE_EQ(read({{"use_rslora", true}}).scaling(q0), 4.0);
    EXPECT_DOUBLE_EQ(read({{"lora_alpha", 3.5}}).scaling(q0), 0.875);
}

TEST(AdapterConfig, PatternsOverrideRankAndAlpha) {
    const auto config = read(
        {{"rank_pattern", {{"layers\\.0\\..*q_proj", 16}}}, {"alpha_pattern", {{"q_proj", 4}}}});
    EXPECT_EQ(config.rank(q0), 16);
    EXPECT_EQ(config.rank(q10), 4);
    EXPECT_DOUBLE_EQ(config.scaling(q0), 0.25);
    EXPECT_DOUBLE_EQ(config.scaling(up0), 2.0);
    // A pattern must end where the path ends, and begin at a dot.
    EXPECT_EQ(read({{"rank_pattern", {{"proj", 16}}}}).rank(q0), 4);
}

TEST(AdapterConfig, TheFirstPatternInTheFileWins) {
    const galapagos::testing::TemporaryFolder folder;
    std::ofstream(folder / "c.json") << R"({"peft_type":"LORA","r":4,"target_modules":["q_proj"],
        "rank_pattern":{"q_proj":2,"layers.0.self_attn.q_proj":3}})";
    EXPECT_EQ(AdapterConfig(folder / "c.json").rank(q0), 2);
}

TEST(AdapterConfig, SelectsByListExpressionAndAllLinear) {
    EXPECT_TRUE(selects(json::object(), q0));
    EXPECT_TRUE(selects(json::object(), "q_proj"));
    EXPECT_FALSE(selects(json::object(), up0));
    EXPECT_FALSE(selects({{"target_modules", {"proj"}}}, q0));
    EXPECT_TRUE(selects({{"target_modules", {"self_attn.q_proj"}}}, q0));
    EXPECT_TRUE(selects({{"target_modules", ".*layers\\.\\d\\.self_attn\\.[qk]_proj"}}, q0));
    EXPECT_FALSE(selects({{"target_modules", ".*layers\\.\\d\\.self_attn\\.[qk]_proj"}}, q10));
    EXPECT_FALSE(selects({{"target_modules", "q_proj"}}, q0))
        << "an expression stands for the whole path";
    EXPECT_TRUE(selects({{"target_modules", "All-Linear"}}, up0));
    EXPECT_FALSE(selects({{"target_modules", "all-linear"}}, "lm_head", true));
}

TEST(AdapterConfig, ExcludesModules) {
    const json all = {{"target_modules", "all-linear"}};
    json listed = all, expression = all;
    listed["exclude_modules"] = {"up_proj"};
    expression["exclude_modules"] = ".*mlp.*";
    EXPECT_FALSE(selects(listed, up0));
    EXPECT_TRUE(selects(listed, q0));
    EXPECT_FALSE(selects(expression, up0));
    EXPECT_TRUE(selects(expression, q0));
}

TEST(AdapterConfig, RestrictsLayers) {
    EXPECT_TRUE(selects({{"layers_to_transform", 10}}, q10));
    EXPECT_FALSE(selects({{"layers_to_transform", 10}}, q0));
    EXPECT_TRUE(selects({{"layers_to_transform", {0, 3}}}, q0));
    EXPECT_TRUE(selects({{"layers_to_transform", json::array()}}, q0));
    EXPECT_TRUE(selects({{"layers_to_transform", 0}, {"layers_pattern", "layers"}}, q0));
    EXPECT_FALSE(selects({{"layers_to_transform", 0}, {"layers_pattern", {"blocks", "h"}}}, q0));
    // The first number counts, not that of an expert further down.
    EXPECT_FALSE(selects({{"layers_to_transform", 0}}, "model.layers.1.experts.0.q_proj"));
}

TEST(AdapterConfig, RefusesByName) {
    const std::vector<std::pair<json, const char*>> cases = {
        {{{"use_dora", true}}, "'use_dora' (DoRA"},
        {{{"lora_bias", true}}, "'lora_bias'"},
        {{{"modules_to_save", {"lm_head"}}}, "'modules_to_save'"},
        {{{"bias", "all"}}, "'bias'"},
        {{{"bias", "lora_only"}}, "'bias'"},
        {{{"trainable_token_indices", {1}}}, "'trainable_token_indices'"},
        {{{"target_parameters", {"x"}}}, "'target_parameters'"},
        {{{"layer_replication", {{0, 2}}}}, "'layer_replication'"},
        {{{"peft_type", "IA3"}}, "'peft_type'"},
        {{{"init_lora_weights", "pissa"}}, "'init_lora_weights' (\"pissa\" changes the base"},
        {{{"init_lora_weights", "olora"}}, "'init_lora_weights'"},
        {{{"invented_next_year", 1}}, "'invented_next_year'"},
        {{{"r", 0}}, "'r' (0 is not a positive integer)"},
        {{{"r", 2.5}}, "'r'"},
        {{{"r", "8"}}, "'r'"},
        {{{"lora_alpha", "x"}}, "'lora_alpha'"},
        {{{"use_rslora", 1}}, "'use_rslora'"},
        {{{"target_modules", nullptr}}, "'target_modules'"},
        {{{"target_modules", {1}}}, "'target_modules'"},
        {{{"target_modules", "("}}, "bad regular expression '('"},
        {{{"target_modules", ".*q_proj"}, {"layers_to_transform", 1}}, "'layers_to_transform'"},
        {{{"layers_to_transform", {-1}}}, "'layers_to_transform'"},
        {{{"rank_pattern", {{"q_proj", 0}}}}, "'rank_pattern'"},
    };
    for (const auto& [changes, message] : cases)
        EXPECT_THAT(refusal(changes), HasSubstr(message)) << changes;
}

TEST(AdapterConfig, AcceptsSettingsThatAreOff) {
    EXPECT_NO_THROW(read({{"use_dora", false},
                          {"modules_to_save", nullptr},
                          {"loftq_config", json::object()},
                          {"invented_next_year", nullptr},
                          {"lora_dropout", 0.1},
                          {"init_lora_weights", "gaussian"},
                          {"peft_version", "0.99"}}));
}

TEST(AdapterConfig, ARunawayExpressionIsStopped) {
    const auto config = read({{"target_modules", "(a|aa)+"}});
    EXPECT_THAT(
        test::error_of([&] { config.selector().selects(std::string(60, 'a') + 'b', false); }),
        HasSubstr("can't be matched"));
}

}  // namespace
}  // namespace galapagos
