#include "merge/path_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "merge/merge_fixtures.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two tiny models, "a" with three layers and "b" with five.
class PathPlanTest : public ::testing::Test {
  protected:
    PathPlanTest() {
        test::TinyModelOptions options;
        options.layers = 3;
        test::make_tiny_model(folder_ / "a", options);
        options.layers = 5;
        options.seed = 2;
        options.extra_config = {{"rope_theta", 300.0}};
        test::make_tiny_model(folder_ / "b", options);
        sources_ = test::open_named(folder_, {"a", "b"});
        index_ = index_sources(sources_);
    }

    static Recipe recipe(std::vector<PathHop> hops, ScaleRule rule = ScaleRule::branch) {
        Recipe result;
        result.method = Method::passthrough;
        result.base_model = "a";
        result.layer_path = LayerPath{rule, std::move(hops)};
        return result;
    }

    std::string refusal(const Recipe& recipe) const {
        try {
            unroll(recipe, sources_, index_);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "no UsageError";
    }

    /// "model.layers.0.mlp.up_proj.weight" of a plan comes from here.
    static const MergeInput& input(const MergePlan& plan, const std::string& output) {
        for (const TensorMerge& tensor : plan.tensors)
            if (tensor.output_name == output) return tensor.inputs.at(0);
        throw Error("no tensor " + output);
    }

    test::TemporaryFolder folder_;
    test::Sources sources_;
    SourceIndex index_;
};

TEST_F(PathPlanTest, StoresEveryLayerOnce) {
    const Recipe path = recipe({{{"b", 4}, 1}, {{"a", 0}, 2}, {{"b", 4}, 3}, {{"a", 2}, 1}});
    const LayerSlots slots(*path.layer_path);
    EXPECT_THAT(slots.layers(),
                ElementsAre(LayerOfModel{"b", 4}, LayerOfModel{"a", 0}, LayerOfModel{"a", 2}));
    EXPECT_THAT(slots.route(*path.layer_path).hops,
                ElementsAre(RouteHop{0, 1}, RouteHop{1, 2}, RouteHop{0, 3}, RouteHop{2, 1}));

    const MergePlan plan = make_slot_plan(slots.layers(), "a", sources_, index_);
    EXPECT_EQ(plan.layers, 3);
    EXPECT_EQ(plan.tensors.size(), 3u + 3u * 9u);
    EXPECT_EQ(plan.tensors.front().output_name, "model.embed_tokens.weight");
    EXPECT_EQ(input(plan, "model.layers.0.mlp.up_proj.weight").tensor,
              "model.layers.4.mlp.up_proj.weight");
    EXPECT_EQ(input(plan, "model.layers.0.mlp.up_proj.weight").source, 1);
    EXPECT_EQ(input(plan, "model.layers.2.mlp.up_proj.weight").source, 0);
    for (const char* outer : {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"})
        EXPECT_EQ(input(plan, outer).source, 0) << outer;
}

TEST_F(PathPlanTest, LayersThatAreNotStoredHaveNoRoute) {
    const LayerSlots slots({{"a", 0}, {"a", 1}});
    EXPECT_EQ(slots.route({ScaleRule::stream, {{{"a", 1}, 1}}}).hops.front().slot, 1);
    EXPECT_THROW(slots.route({ScaleRule::stream, {{{"a", 2}, 1}}}), Error);
}

TEST_F(PathPlanTest, SlotsKeepTheirRotaryEmbeddings) {
    const LayerSlots slots({{"b", 4}, {"a", 0}});
    const Architecture architecture = slot_architecture(slots, *sources_[0], sources_, index_);
    EXPECT_EQ(architecture.layers, 2);
    ASSERT_EQ(architecture.layer_settings.size(), 2u);
    const auto theta = [&](std::size_t slot) {
        return architecture.ropes
            .at(static_cast<std::size_t>(architecture.layer_settings[slot].rope))
            .theta;
    };
    EXPECT_EQ(theta(0), 300.0);
    EXPECT_EQ(theta(1), 10000.0);
}

TEST_F(PathPlanTest, RefusesLayersAndModelsThatDoNotFit) {
    EXPECT_THAT(refusal(recipe({{{"a", 3}, 1}})), HasSubstr("layer 3 of 'a', which has 3 layers"));
    test::TinyModelOptions other;
    other.extra_config = {{"rms_norm_eps", 1e-3}};
    test::make_tiny_model(folder_ / "c", other);
    const auto sources = test::open_named(folder_, {"a", "c"});
    EXPECT_THROW(
        slot_architecture(LayerSlots({{"c", 0}}), *sources[0], sources, index_sources(sources)),
        Error);
}

TEST_F(PathPlanTest, UnrollsWithScalesInTheLayerBefore) {
    const UnrolledModel model =
        unroll(recipe({{{"a", 1}, 0.5}, {{"a", 1}, 3}, {{"a", 0}, 1}}), sources_, index_);
    EXPECT_EQ(model.plan.layers, 3);
    EXPECT_EQ(model.config.at("num_hidden_layers"), 3);
    EXPECT_EQ(input(model.plan, "model.embed_tokens.weight").weight, 0.5);
    EXPECT_EQ(input(model.plan, "model.layers.0.mlp.down_proj.weight").weight, 3);
    for (const char* name :
         {"model.layers.0.self_attn.o_proj.weight", "model.layers.1.mlp.down_proj.weight",
          "model.layers.2.mlp.down_proj.weight", "lm_head.weight", "model.norm.weight"})
        EXPECT_EQ(input(model.plan, name).weight, 1) << name;
}

TEST_F(PathPlanTest, RefusesToUnrollWhatWeightsCannotSay) {
    EXPECT_THAT(refusal(recipe({{{"a", 0}, 1}, {{"a", 1}, 2}}, ScaleRule::stream)),
                HasSubstr("hop 1, layer 1 of 'a': its scale is for the whole residual stream"));
    EXPECT_EQ(refusal(recipe({{{"a", 0}, 2}, {{"a", 1}, 1}}, ScaleRule::stream)), "no UsageError");
    EXPECT_THAT(refusal(recipe({{{"a", 0}, 1}, {{"b", 1}, 1}})),
                HasSubstr("hop 1, layer 1 of 'b': config.json"));
    EXPECT_EQ(refusal(recipe({{{"a", 0}, 1}, {{"a", 0}, 1}})), "no UsageError");
}

}  // namespace
}  // namespace galapagos
