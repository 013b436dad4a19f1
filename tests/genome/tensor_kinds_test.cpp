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
