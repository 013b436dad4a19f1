#include "weights/architecture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json small_config() {
    return {{"model_type", "llama"},      {"vocab_size", 64},       {"hidden_size", 32},
            {"intermediate_size", 48},    {"num_hidden_layers", 2}, {"num_attention_heads", 4},
            {"num_key_value_heads", 2},   {"rms_norm_eps", 1e-5},   {"rope_theta", 500000.0},
            {"tie_word_embeddings", true}};
}

std::string refusal(const json& changes) {
    json config = small_config();
    config.update(changes);
    try {
        Architecture::from_config(config, "config.json");
    } catch (const Error& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Architecture, ReadsSizesAndDefaults) {
    const Architecture a = Architecture::from_config(small_config(), "config.json");
    EXPECT_EQ(a.head_dim, 8);
    EXPECT_EQ(a.kv_heads, 2);
    EXPECT_EQ(a.max_positions, 2048);
    EXPECT_TRUE(a.tied_embeddings);
    EXPECT_FALSE(a.query_key_value_bias);
    EXPECT_EQ(a.ropes.front().kind, RopeSettings::Kind::standard);
    EXPECT_EQ(a.ropes.front().theta, 500000.0);

    json config = small_config();
    config.update({{"num_key_value_heads", nullptr}, {"head_dim", 16}});
    config.erase("tie_word_embeddings");
    const Architecture b = Architecture::from_config(config, "config.json");
    EXPECT_EQ(b.kv_heads, 4);
    EXPECT_EQ(b.head_dim, 16);
    EXPECT_FALSE(b.tied_embeddings);
}

TEST(Architecture, ReadsRopeInBothForms) {
    const json llama3 = {{"rope_type", "llama3"},
                         {"factor", 8.0},
                         {"low_freq_factor", 1.0},
                         {"high_freq_factor", 4.0},
                         {"original_max_position_embeddings", 64}};
    json old_form = small_config();
    old_form["rope_scaling"] = llama3;
    json new_form = small_config();
    new_form.erase("rope_theta");
    new_form["rope_parameters"] = llama3;
    new_form["rope_parameters"]["rope_theta"] = 500000.0;
    const auto a = Architecture::from_config(old_form, "config.json");
    const auto b = Architecture::from_config(new_form, "config.json");
    EXPECT_EQ(a.ropes.front().kind, RopeSettings::Kind::llama3);
    EXPECT_EQ(a.ropes, b.ropes);
    EXPECT_EQ(a.ropes.front().original_max_positions, 64);

    json linear = small_config();
    linear["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
    const auto c = Architecture::from_config(linear, "config.json");
    EXPECT_EQ(c.ropes.front().kind, RopeSettings::Kind::linear);
    EXPECT_EQ(c.ropes.front().factor, 4.0);
}

TEST(Architecture, RefusesByName) {
    EXPECT_THAT(refusal({{"model_type", "mamba"}}), HasSubstr("mamba"));
    EXPECT_THAT(refusal({{"hidden_act", "relu2"}}), HasSubstr("hidden_act"));
    EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "proportional"}}}}),
                HasSubstr("proportional"));
    EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "longrope"}, {"short_factor", {1.0}}}}}),
                HasSubstr("short_factor"));
    EXPECT_THAT(refusal({{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor"));
    EXPECT_THAT(refusal({{"residual_multiplier", 0.5}}), HasSubstr("residual_multiplier"));
    EXPECT_THAT(refusal({{"layer_types", {"linear_attention", "full_attention"}}}),
                HasSubstr("layer_types"));
    EXPECT_THAT(refusal({{"num_local_experts", 4}}), HasSubstr("num_local_experts"));
    EXPECT_EQ(refusal({{"residual_multiplier", 1.0}, {"sliding_window", nullptr}}), "accepted");
    EXPECT_THAT(refusal({{"rope_scaling", {{"type", "linear"}}}}), HasSubstr("factor"));
    EXPECT_THAT(refusal({{"rope_parameters", {{"rope_type", "default"}}},
                         {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}}),
                HasSubstr("rope_parameters"));
    EXPECT_THAT(refusal({{"sliding_window", 4096}}), HasSubstr("sliding_window"));
    EXPECT_THAT(refusal({{"quantization_config", {{"bits", 4}}}}),
                HasSubstr("quantization_config"));
    EXPECT_THAT(refusal({{"num_key_value_heads", 3}}), HasSubstr("num_key_value_heads"));
    EXPECT_THAT(refusal({{"num_attention_heads", 0}}), HasSubstr("num_attention_heads"));
    EXPECT_THAT(refusal({{"vocab_size", 64.5}}), HasSubstr("vocab_size"));
    EXPECT_THAT(refusal({{"attention_bias", "yes"}}), HasSubstr("attention_bias"));
    EXPECT_THAT(refusal({{"head_dim", 7}}), HasSubstr("head_dim"));
    EXPECT_THAT(refusal({{"hidden_size", nullptr}}), HasSubstr("hidden_size"));
    EXPECT_EQ(refusal({{"use_cache", true}}), "accepted");
}

TEST(Architecture, ListsItsTensors) {
    json config = small_config();
    const auto tied = model_tensors(Architecture::from_config(config, "config.json"));
    EXPECT_EQ(tied.size(), 1U + 2U * 9U + 1U);
    config.update({{"tie_word_embeddings", false}, {"attention_bias", true}, {"mlp_bias", true}});
    const auto untied = model_tensors(Architecture::from_config(config, "config.json"));
    EXPECT_EQ(untied.size(), 1U + 2U * (9U + 7U) + 2U);
    EXPECT_EQ(untied.back().name, "lm_head.weight");
    EXPECT_EQ(untied[2].name, "model.layers.0.self_attn.q_proj.weight");
    EXPECT_EQ(untied[5].shape, (Shape{16}));
}

Architecture with(json config, const json& changes = json::object()) {
    config.update(changes);
    return Architecture::from_config(config, "config.json");
}

std::vector<int64_t> windows(const Architecture& architecture) {
    std::vector<int64_t> result;
    for (const LayerSettings& layer : architecture.layer_settings) result.push_back(layer.window);
    return result;
}

TEST(Architecture, ReadsWindows) {
    EXPECT_EQ(windows(with(small_config(), {{"model_type", "mistral"}})),
              (std::vector<int64_t>{4096, 4096}));
    EXPECT_EQ(
        windows(with(small_config(), {{"model_type", "mistral"}, {"sliding_window", nullptr}})),
        (std::vector<int64_t>{0, 0}));
    json qwen = small_config();
    qwen.update({{"model_type", "qwen2"}, {"sliding_window", 7}, {"max_window_layers", 1}});
    EXPECT_EQ(windows(with(qwen)), (std::vector<int64_t>{0, 0}));
    EXPECT_EQ(windows(with(qwen, {{"use_sliding_window", true}})), (std::vector<int64_t>{0, 7}));
    EXPECT_EQ(windows(with(qwen, {{"use_sliding_window", true}, {"max_window_layers", 0}})),
              (std::vector<int64_t>{7, 7}));
    EXPECT_EQ(windows(with(qwen, {{"use_sliding_window", true},
                                  {"layer_types", {"sliding_attention", "full_attention"}}})),
              (std::vector<int64_t>{7, 0}));
    EXPECT_THROW(with(qwen, {{"layer_types", {"sliding_attention", "full_attention"}}}), Error);
    EXPECT_EQ(windows(with(small_config(), {{"model_type", "gemma2"}, {"sliding_window", 9}})),
              (std::vector<int64_t>{9, 0}));
}

TEST(Architecture, ReadsBothRopesOfGemma3) {
    json old_form = small_config();
    old_form.erase("rope_theta");
    old_form.update({{"model_type", "gemma3_text"},
                     {"rope_local_base_freq", 500.0},
                     {"rope_theta", 7000.0},
                     {"sliding_window_pattern", 2},
                     {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}});
    const Architecture a = with(old_form);
    EXPECT_EQ(windows(a), (std::vector<int64_t>{4096, 0}));
    ASSERT_EQ(a.ropes.size(), 2U);
    const RopeSettings& sliding = a.ropes[static_cast<size_t>(a.layer_settings[0].rope)];
    const RopeSettings& full = a.ropes[static_cast<size_t>(a.layer_settings[1].rope)];
    EXPECT_EQ(sliding.theta, 500.0);
    EXPECT_EQ(sliding.kind, RopeSettings::Kind::standard);
    EXPECT_EQ(full.theta, 7000.0);
    EXPECT_EQ(full.kind, RopeSettings::Kind::linear);
    const json types = {
        {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 7000.0}}},
        {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 500.0}}}};
    json new_form = small_config();
    new_form.erase("rope_theta");
    new_form.update({{"model_type", "gemma3_text"}, {"rope_parameters", types}});
    EXPECT_EQ(with(new_form).ropes, a.ropes);
    EXPECT_EQ(a.head_dim, 256) << "transformers' default";
}

TEST(Architecture, LimitsSequencesToWhatPositionsAreDefinedFor) {
    EXPECT_EQ(with(small_config()).most_positions(), 0);
    EXPECT_EQ(with(small_config(), {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}}})
                  .most_positions(),
              2048);
    const json list = {1.0, 1.1, 1.2, 1.3};
    EXPECT_EQ(
        with(small_config(),
             {{"model_type", "phi3"},
              {"original_max_position_embeddings", 50},
              {"rope_scaling", {{"type", "su"}, {"short_factor", list}, {"long_factor", list}}}})
            .most_positions(),
        50);
}

}  // namespace
}  // namespace galapagos
