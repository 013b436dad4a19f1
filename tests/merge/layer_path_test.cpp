#include "merge/layer_path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "merge/recipe.hpp"
#include "merge/recipe_text.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_hop(const std::string& hop) { return "layer_path: {hops: [" + hop + "]}\n"; }

constexpr const char* whole_recipe = R"(
base_model: m/a
layer_path:
  scale_rule: stream
  hops:
    - {model: m/b, layer_range: [1, 4], scale: -0.5}
    - {model: {model: m/c, lora: m/l}, layer: 7}
    - {model: m/b, layer: 1, scale: 1e-3}
dtype: float32
)";

TEST(LayerPath, IsRead) {
    const Recipe recipe = parse(whole_recipe);
    ASSERT_TRUE(recipe.layer_path);
    EXPECT_EQ(recipe.layer_path->rule, ScaleRule::stream);
    EXPECT_THAT(
        recipe.layer_path->hops,
        ElementsAre(PathHop{{"m/b", 1}, -0.5}, PathHop{{"m/b", 2}, -0.5}, PathHop{{"m/b", 3}, -0.5},
                    PathHop{{"m/c+m/l", 7}, 1}, PathHop{{"m/b", 1}, 0.001}));
    EXPECT_EQ(recipe.dtype, DType::f32);
    EXPECT_EQ(donor_model(recipe), "m/a");
    EXPECT_THAT(referenced_models(recipe), ElementsAre("m/b", "m/c+m/l", "m/a"));
}

TEST(LayerPath, WithoutABaseItsFirstModelIsOne) {
    const Recipe recipe = parse(with_hop("{model: m/b, layer: 0}, {model: m/a, layer: 0}"));
    EXPECT_EQ(donor_model(recipe), "m/b");
    EXPECT_EQ(recipe.layer_path->rule, ScaleRule::branch);
}

TEST(LayerPath, IsWrittenAsItIsRead) {
    const Recipe recipe = parse(whole_recipe);
    const std::string text = to_yaml(recipe);
    EXPECT_THAT(text, HasSubstr("{model: m/b, layer_range: [1, 4], scale: -0.5}"));
    EXPECT_EQ(parse(text), recipe) << text;
}

TEST(LayerPath, RefusesWhatItDoesNotKnow) {
    EXPECT_THAT(error_of("layer_path: {hop: []}"), HasSubstr("did you mean 'hops'?"));
    EXPECT_THAT(error_of("layer_path: {hops: []}"), HasSubstr("no hops"));
    EXPECT_THAT(error_of("layer_path:"), HasSubstr("expected a map"));
    EXPECT_THAT(error_of("layer_path: {scale_rule: brunch, hops: [{model: a, layer: 0}]}"),
                HasSubstr("did you mean 'branch'?"));
    EXPECT_THAT(error_of(with_hop("{model: a, layer: 0, scal: 2}")),
                HasSubstr("r.yaml:1: layer_path.hops[0].scal"));
    EXPECT_THAT(error_of(with_hop("{model: a}")), HasSubstr("either 'layer' or 'layer_range'"));
    EXPECT_THAT(error_of(with_hop("{model: a, layer: 0, layer_range: [0, 1]}")),
                HasSubstr("either 'layer' or 'layer_range'"));
}

TEST(LayerPath, RefusesWrongNumbers) {
    for (const char* layer : {"-1", "1e9", "1.5", "x"})
        EXPECT_THAT(error_of(with_hop(std::string("{model: a, layer: ") + layer + "}")),
                    HasSubstr("layer_path.hops[0].layer"))
            << layer;
    for (const char* scale : {".nan", ".inf", "1e39", "x", "[1]"})
        EXPECT_THAT(error_of(with_hop(std::string("{model: a, layer: 0, scale: ") + scale + "}")),
                    HasSubstr("layer_path.hops[0].scale"))
            << scale;
    EXPECT_THAT(error_of(with_hop("{model: a, layer_range: [3, 3]}")), HasSubstr("empty"));
    EXPECT_THAT(error_of(with_hop("{model: a, layer_range: [0, 9223372036854775807]}")),
                HasSubstr("more than 1024 hops"));
    EXPECT_THAT(error_of(with_hop("{model: a, layer_range: [0, 1024]}, {model: a, layer: 0}")),
                HasSubstr("layer_path.hops[1]"));
}

TEST(LayerPath, StandsAlone) {
    const std::string path = with_hop("{model: a, layer: 0}");
    EXPECT_THAT(error_of(path + "models: [{model: a}]"), HasSubstr("has no 'models'"));
    EXPECT_THAT(error_of(path + "slices: []"), HasSubstr("has no 'slices'"));
    EXPECT_THAT(error_of(path + "parameters: {t: 1}"), HasSubstr("has no 'parameters'"));
    EXPECT_THAT(error_of(path + "merge_method: ties"), HasSubstr("leave out merge_method"));
    EXPECT_EQ(parse(path + "merge_method: passthrough"), parse(path));
}

}  // namespace
}  // namespace galapagos
