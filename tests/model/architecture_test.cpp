#include "model/architecture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "model/rotary.hpp"

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
    EXPECT_FALSE(a.attention_bias);
    EXPECT_EQ(a.rope.kind, RopeSettings::Kind::standard);
    EXPECT_EQ(a.rope.theta, 500000.0);

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
    EXPECT_EQ(a.rope.kind, RopeSettings::Kind::llama3);
    EXPECT_EQ(inverse_frequencies(a.rope, 8), inverse_frequencies(b.rope, 8));
    EXPECT_EQ(a.rope.original_max_positions, 64);

    json linear = small_config();
    linear["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
    const auto c = Architecture::from_config(linear, "config.json");
    EXPECT_FLOAT_EQ(inverse_frequencies(c.rope, 8)[0], 0.25F);
}

TEST(Architecture, RefusesByName) {
    EXPECT_THAT(refusal({{"model_type", "mamba"}}), HasSubstr("mamba"));
    EXPECT_THAT(refusal({{"hidden_act", "gelu"}}), HasSubstr("hidden_act"));
    EXPECT_THAT(refusal({{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}}}}),
                HasSubstr("yarn"));
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

}  // namespace
}  // namespace galapagos
