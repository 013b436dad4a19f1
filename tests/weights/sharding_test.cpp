#include "weights/sharding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "support/tiny_models.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;
using test::error_of;
using ::testing::HasSubstr;

/// SmolLM2-135M: 9 query heads, 3 key-value heads of size 64.
json smollm2() {
    return {{"model_type", "llama"},    {"hidden_size", 576},        {"num_attention_heads", 9},
            {"num_key_value_heads", 3}, {"intermediate_size", 1536}, {"vocab_size", 49152}};
}

std::vector<Sharding> cut(const json& config, int ranks) {
    std::vector<Sharding> shards;
    for (int rank = 0; rank < ranks; ++rank) shards.emplace_back(config, ranks, rank);
    return shards;
}

std::vector<std::int64_t> q_counts(const std::vector<Sharding>& shards) {
    std::vector<std::int64_t> counts;
    for (const auto& shard : shards) counts.push_back(shard.q_head_end() - shard.q_head_begin());
    return counts;
}

TEST(NearEvenPart, CoversEverythingInOrder) {
    for (std::int64_t total = 0; total < 20; ++total) {
        for (std::int64_t parts = 1; parts < 8; ++parts) {
            std::int64_t next = 0;
            for (std::int64_t rank = 0; rank < parts; ++rank) {
                const Range part = near_even_part(total, parts, rank);
                EXPECT_EQ(part.begin, next);
                EXPECT_GE(part.size(), total / parts);
                EXPECT_LE(part.size(), (total + parts - 1) / parts);
                next = part.end;
            }
            EXPECT_EQ(next, total);
        }
    }
}

TEST(Sharding, CutsSmolLM2AtWidths1And2And4) {
    EXPECT_THAT(q_counts(cut(smollm2(), 1)), ::testing::ElementsAre(9));
    const auto two = cut(smollm2(), 2);
    EXPECT_THAT(q_counts(two), ::testing::ElementsAre(6, 3));
    EXPECT_EQ(two[1].kv_head_begin(), 2);
    EXPECT_EQ(two[1].kv_head_end(), 3);
    EXPECT_EQ(two[1].intermediate_begin(), 768);
    EXPECT_EQ(two[1].vocab_end(), 49152);
    const auto four = cut(smollm2(), 4);
    EXPECT_THAT(q_counts(four), ::testing::ElementsAre(2, 1, 3, 3));
    EXPECT_EQ(four[1].kv_head_begin(), 0) << "the second rank shares the first key-value head";
    EXPECT_FALSE(four[1].owns_kv_heads());
    EXPECT_TRUE(four[2].owns_kv_heads());
    EXPECT_EQ(four[3].head_dim(), 64);
}

/// For every width: each query head once, in order, beside its own key-value head.
TEST(Sharding, EveryQueryHeadLiesWithItsKeyValueHead) {
    for (const auto& [heads, kv_heads] :
         {std::pair{9, 3}, {8, 8}, {8, 1}, {32, 8}, {14, 2}, {5, 5}}) {
        json config = smollm2();
        config["num_attention_heads"] = heads;
        config["num_key_value_heads"] = kv_heads;
        const int group = heads / kv_heads;
        for (int ranks = 1; ranks <= heads; ++ranks) {
            std::int64_t next = 0;
            std::vector<int> owners(static_cast<std::size_t>(kv_heads));
            for (const auto& shard : cut(config, ranks)) {
                EXPECT_EQ(shard.q_head_begin(), next);
                EXPECT_GT(shard.q_head_end(), shard.q_head_begin());
                for (auto q = shard.q_head_begin(); q < shard.q_head_end(); ++q) {
                    EXPECT_GE(q / group, shard.kv_head_begin());
                    EXPECT_LT(q / group, shard.kv_head_end());
                }
                for (auto kv = shard.kv_head_begin();
                     shard.owns_kv_heads() && kv < shard.kv_head_end(); ++kv) {
                    ++owners[static_cast<std::size_t>(kv)];
                }
                next = shard.q_head_end();
            }
            EXPECT_EQ(next, heads);
            EXPECT_THAT(owners, ::testing::Each(1));
        }
    }
}

/// Slices of all ranks together hold every element of every tensor: once, or once on every rank
/// that shares a key-value head.
TEST(Sharding, SlicesCoverEveryTensor) {
    test::TinyModelOptions options;
    options.hidden = 36;
    options.heads = 9;
    options.kv_heads = 3;
    options.vocab = 65;
    options.intermediate = 50;
    const json config = test::tiny_config(options);
    for (const int ranks : {1, 2, 3, 4, 7, 9}) {
        const auto shards = cut(config, ranks);
        for (const auto& tensor : test::tiny_tensors(options)) {
            std::vector<int> holders(static_cast<std::size_t>(element_count(tensor.shape)));
            for (const auto& shard : shards) {
                std::int64_t local = 0;
                const auto slice = shard.slice(tensor.name, tensor.shape);
                for_each_run(slice, tensor.shape, [&](const SliceRun& run) {
                    EXPECT_EQ(run.local, local);
                    for (std::int64_t i = 0; i < run.count; ++i)
                        ++holders[static_cast<std::size_t>(run.global + i)];
                    local += run.count;
                });
                EXPECT_EQ(local, element_count(shard.local_shape(tensor.name, tensor.shape)))
                    << tensor.name;
            }
            const bool norm = tensor.shape.size() == 1;
            const bool kv = tensor.name.find("k_proj") != tensor.name.npos ||
                            tensor.name.find("v_proj") != tensor.name.npos;
            const auto [least, most] = std::minmax_element(holders.begin(), holders.end());
            const bool once = !norm && (!kv || ranks <= 3);
            EXPECT_LE(*most, once ? 1 : ranks) << tensor.name << " at " << ranks;
            EXPECT_GE(*least, norm ? ranks : 1) << tensor.name << " at " << ranks;
        }
    }
}

TEST(Sharding, CopiesRowsAndColumns) {
    std::vector<float> whole(24);
    std::iota(whole.begin(), whole.end(), 0.0f);
    const TensorView view{reinterpret_cast<const std::byte*>(whole.data()), DType::f32, {4, 6}};
    std::vector<float> part(12);
    copy_slice(view, {1, {{0, 1}, {4, 6}}},
               {reinterpret_cast<std::byte*>(part.data()), DType::f32, {4, 3}});
    EXPECT_THAT(part, ::testing::ElementsAre(0, 4, 5, 6, 10, 11, 12, 16, 17, 18, 22, 23));
    copy_slice(view, {0, {{1, 3}}},
               {reinterpret_cast<std::byte*>(part.data()), DType::f32, {2, 6}});
    EXPECT_EQ(part.front(), 6);
    EXPECT_EQ(part.back(), 17);
    EXPECT_THAT(
        error_of([&] {
            copy_slice(view, {}, {reinterpret_cast<std::byte*>(part.data()), DType::f32, {2, 6}});
        }),
        HasSubstr("[2, 6] and not [4, 6]"));
}

TEST(Sharding, CutsFusedMatricesBlockByBlock) {
    json config = smollm2();
    config["model_type"] = "phi3";
    const Sharding shard(config, 2, 1);
    const auto qkv = shard.slice("model.layers.0.self_attn.qkv_proj.weight", {15 * 64, 576});
    EXPECT_EQ(qkv, (TensorSlice{0, {{6 * 64, 9 * 64}, {11 * 64, 12 * 64}, {14 * 64, 15 * 64}}}));
    const auto gate_up = shard.slice("model.layers.0.mlp.gate_up_proj.weight", {3072, 576});
    EXPECT_EQ(gate_up, (TensorSlice{0, {{768, 1536}, {2304, 3072}}}));
}

TEST(Sharding, CutsTransposedMatrices) {
    const json config = {{"model_type", "gpt2"}, {"n_embd", 8}, {"n_head", 2}, {"vocab_size", 10}};
    const Sharding shard(config, 2, 1);
    EXPECT_EQ(shard.slice("h.0.attn.c_attn.weight", {8, 24}),
              (TensorSlice{1, {{4, 8}, {12, 16}, {20, 24}}}));
    EXPECT_EQ(shard.slice("h.0.mlp.c_fc.bias", {32}), (TensorSlice{0, {{16, 32}}}));
    EXPECT_EQ(shard.slice("h.0.attn.c_proj.weight", {8, 8}), (TensorSlice{0, {{4, 8}}}));
    EXPECT_TRUE(shard.slice("h.0.attn.c_proj.bias", {8}).whole());
}

TEST(Sharding, AWidthOfOneHoldsEverythingWhole) {
    const Sharding one(smollm2(), 1, 0);
    EXPECT_TRUE(one.slice("model.layers.0.self_attn.q_proj.weight", {576, 576}).whole());
    EXPECT_TRUE(Sharding().slice("anything", {3}).whole());
}

TEST(Sharding, RefusesWhatItCannotCut) {
    json config = smollm2();
    EXPECT_THAT(error_of([&] { Sharding(config, 10, 0); }), HasSubstr("9 attention heads"));
    EXPECT_THAT(error_of([&] { Sharding(config, 2, 2); }), HasSubstr("rank 2 of 2"));
    const Sharding two(config, 2, 0);
    EXPECT_THAT(error_of([&] { two.slice("model.layers.0.self_attn.k_bend.weight", {1}); }),
                HasSubstr("k_bend"));
    EXPECT_THAT(error_of([&] {
                    two.slice("model.layers.0.self_attn.q_proj.weight", {575, 576});
                }),
                HasSubstr("makes dimension 0 be 576"));
    EXPECT_THAT(error_of([&] { two.slice("model.layers.0.self_attn.o_proj.weight", {576}); }),
                HasSubstr("[576]"));
    config["model_type"] = "mamba";
    EXPECT_THAT(error_of([&] { Sharding(config, 2, 0); }), HasSubstr("llama, mistral"));
    config = smollm2();
    config["num_key_value_heads"] = 2;
    EXPECT_THAT(error_of([&] { Sharding(config, 2, 0); }), HasSubstr("do not divide"));
    config = smollm2();
    config["vocab_size"] = -1;
    EXPECT_THAT(error_of([&] { Sharding(config, 2, 0); }), HasSubstr("'vocab_size' is -1"));
    config.erase("vocab_size");
    EXPECT_THAT(error_of([&] { Sharding(config, 2, 0); }), HasSubstr("lacks 'vocab_size'"));
}

}  // namespace
}  // namespace galapagos
