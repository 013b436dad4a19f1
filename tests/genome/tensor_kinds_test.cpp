#include "genome/tensor_kinds.hpp"

#include <gtest/gtest.h>

namespace galapagos {
namespace {

using enum ModuleKind;

TEST(TensorKinds, TheFirstFilterThatFitsCounts) {
    const std::vector<ModuleKind> all = {attention, mlp, embeddings, head, norms, rest};
    EXPECT_EQ(kind_of("model.layers.3.self_attn.q_proj.weight", all), attention);
    EXPECT_EQ(kind_of("model.layers.3.self_attn.q_norm.weight", all), attention);
    EXPECT_EQ(kind_of("model.layers.3.mlp.up_proj.weight", all), mlp);
    EXPECT_EQ(kind_of("model.layers.3.post_attention_layernorm.weight", all), norms);
    EXPECT_EQ(kind_of("model.norm.weight", all), norms);
    EXPECT_EQ(kind_of("model.embed_tokens.weight", all), embeddings);
    EXPECT_EQ(kind_of("lm_head.weight", all), head);
    EXPECT_EQ(kind_of("model.layers.3.self_attn.q_norm.weight", {mlp, norms}), norms);
    EXPECT_EQ(kind_of("model.layers.3.self_attn.q_proj.weight", {mlp, norms}), rest);
}

TEST(TensorKinds, KnowsTheNamesOfEveryArchitecture) {
    const std::vector<ModuleKind> all = {attention, mlp, embeddings, head, norms, rest};
    EXPECT_EQ(kind_of("transformer.h.0.attn.c_attn.weight", all), attention);
    EXPECT_EQ(kind_of("transformer.h.0.mlp.c_fc.bias", all), mlp);
    EXPECT_EQ(kind_of("transformer.h.0.ln_1.weight", all), norms);
    EXPECT_EQ(kind_of("transformer.ln_f.bias", all), norms);
    EXPECT_EQ(kind_of("transformer.wpe.weight", all), embeddings);
    EXPECT_EQ(kind_of("gpt_neox.layers.0.attention.query_key_value.weight", all), attention);
    EXPECT_EQ(kind_of("gpt_neox.layers.0.post_attention_layernorm.weight", all), norms);
    EXPECT_EQ(kind_of("gpt_neox.embed_in.weight", all), embeddings);
    EXPECT_EQ(kind_of("embed_out.weight", all), head);
    EXPECT_EQ(kind_of("model.layers.0.block_sparse_moe.experts.1.w2.weight", all), mlp);
    EXPECT_EQ(kind_of("model.layers.0.block_sparse_moe.gate.weight", all), mlp);
    EXPECT_EQ(kind_of("model.layers.0.pre_feedforward_layernorm.weight", all), norms);
    EXPECT_EQ(group_of("transformer.wte.weight", {0, 2, 4}), 0);
    EXPECT_EQ(group_of("embed_out.weight", {0, 2, 4}), 1);
}

TEST(TensorKinds, RecipesUseTheFiltersOfTheModel) {
    using Filters = std::vector<std::string>;
    EXPECT_EQ(filters_of(embeddings, {"transformer.wte.weight", "transformer.wpe.weight"}),
              (Filters{".wte.", ".wpe."}));
    EXPECT_EQ(filters_of(attention, {"model.layers.0.self_attn.q_proj.weight"}),
              (Filters{"self_attn"}));
    EXPECT_EQ(filters_of(mlp, {}), (Filters{"mlp"}));
    EXPECT_EQ(filters_of(rest, {"x"}), (Filters{""}));
}

TEST(TensorKinds, GroupsAreNearlyEqual) {
    EXPECT_EQ(equal_groups(30, 3), (std::vector<int>{0, 10, 20, 30}));
    EXPECT_EQ(equal_groups(7, 3), (std::vector<int>{0, 2, 4, 7}));
    EXPECT_EQ(equal_groups(5, 1), (std::vector<int>{0, 5}));
}

TEST(TensorKinds, TensorsBelongToTheSliceOfTheirLayer) {
    const std::vector<int> boundaries = {0, 10, 20, 30};
    EXPECT_EQ(group_of("model.layers.0.mlp.up_proj.weight", boundaries), 0);
    EXPECT_EQ(group_of("model.layers.9.mlp.up_proj.weight", boundaries), 0);
    EXPECT_EQ(group_of("model.layers.10.mlp.up_proj.weight", boundaries), 1);
    EXPECT_EQ(group_of("model.layers.29.mlp.up_proj.weight", boundaries), 2);
    EXPECT_EQ(group_of("model.embed_tokens.weight", boundaries), 0);
    EXPECT_EQ(group_of("model.norm.weight", boundaries), 2);
    EXPECT_EQ(group_of("lm_head.weight", boundaries), 2);
}

}  // namespace
}  // namespace galapagos
