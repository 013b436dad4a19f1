#include "merge/recipe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "merge/recipe_text.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Recipe, ReadsModels) {
    const Recipe recipe = parse(R"(
merge_method: dare_ties
base_model: m/base
models:
  - model: m/a
    parameters: {weight: [0.1, 0.9], density: 0.5}
  - model: m/b+m/lora
    parameters:
      weight:
        - filter: mlp
          value: [0.0, 1e-2, 3]
        - value: "0.25"
  - model: {model: {path: m/c}, lora: {path: m/l}}
    parameters: {weight: {filter: q_proj, value: 2}}
parameters: {normalize: false, int8_mask: true, rescale: inverse_p, lambda: 1.1}
dtype: float32
out_dtype: bfloat16
random_seed: 18446744073709551615
)");
    EXPECT_EQ(recipe.method, Method::dare_ties);
    ASSERT_EQ(recipe.models.size(), 3u);
    EXPECT_EQ(recipe.models[2].model, "m/c+m/l");
    EXPECT_EQ(recipe.dtype, DType::f32);
    EXPECT_EQ(recipe.out_dtype, DType::bf16);
    EXPECT_EQ(recipe.random_seed, ~std::uint64_t{0});
    const ParameterSetting& weight = recipe.models[1].parameters.at("weight");
    ASSERT_EQ(weight.cases.size(), 2u);
    EXPECT_EQ(weight.cases[0].filter, "mlp");
    EXPECT_DOUBLE_EQ(*evaluate_number(weight, "mlp", 0.5), 0.01);
    EXPECT_DOUBLE_EQ(*evaluate_number(weight, "x", 0.5), 0.25);
    EXPECT_THAT(referenced_models(recipe), ElementsAre("m/a", "m/b+m/lora", "m/c+m/l", "m/base"));
    EXPECT_EQ(donor_model(recipe), "m/base");
}

TEST(Recipe, ReadsSlices) {
    const Recipe recipe = parse(R"(
merge_method: slerp
base_model: m/a
slices:
  - sources:
      - {model: m/a, layer_range: [0, 4]}
      - {model: m/b, layer_range: [2, 6], parameters: {weight: 1}}
    parameters: {t: [0, 1]}
    residual_weight: 0.1
  - sources:
      - {model: m/b, layer_range: [0, 1]}
      - {model: m/c, layer_range: [1, 2]}
    base_model: m/c
parameters: {t: 0.5}
)");
    ASSERT_EQ(recipe.slices.size(), 2u);
    EXPECT_EQ(recipe.slices[0].sources[1].layer_range, (Range{2, 6}));
    EXPECT_EQ(recipe.slices[1].base_model, "m/c");
    EXPECT_THAT(referenced_models(recipe), ElementsAre("m/a", "m/b", "m/c"));
}

TEST(Recipe, YamlComesBackUnchanged) {
    Recipe recipe;
    recipe.method = Method::ties;
    recipe.base_model = "null";  // a name that YAML could take for something else
    recipe.slices.resize(2);
    for (RecipeSlice& slice : recipe.slices) {
        slice.sources.push_back({"dir/with \"quotes\"\n", Range{0, 3}, {}});
        slice.sources.push_back({"123", Range{3, 6}, {{"weight", 1.0 / 3}, {"density", 1e-7}}});
    }
    recipe.slices[0].base_model = "b+c";
    recipe.slices[1].parameters["density"] = std::vector<double>{0.1, 2e22, -5};
    recipe.parameters["weight"] = ParameterSetting(
        std::vector<ParameterCase>{{"self_attn", {0.1, 0.2}}, {"mlp: #", {0.3}}, {"", {1.0}}});
    recipe.parameters["normalize"] = true;
    recipe.parameters["rescale"] = "inverse_p";
    recipe.dtype = DType::f16;
    recipe.random_seed = 7;
    const std::string yaml = to_yaml(recipe);
    EXPECT_EQ(parse(yaml), recipe) << yaml;

    Recipe models;
    models.models = {{"/a/b", std::nullopt, {{"weight", 0.1}}}, {"c", std::nullopt, {}}};
    EXPECT_EQ(parse(to_yaml(models)), models);
    EXPECT_THAT(yaml, AllOf(HasSubstr("1.0e-07"), HasSubstr("2.0e+22")));
}

TEST(Recipe, RefusesByFileLineAndNearestName) {
    const std::string tail = "models: [{model: a, parameters: {weight: 1}}]\n";
    EXPECT_THAT(error_of("merge_method: linear\nbase_modle: x\n" + tail),
                AllOf(HasSubstr("r.yaml:2"), HasSubstr("base_modle"), HasSubstr("base_model")));
    EXPECT_THAT(error_of("merge_method: linaer\n" + tail),
                AllOf(HasSubstr("r.yaml:1"), HasSubstr("'linear'")));
    EXPECT_THAT(error_of("merge_method: linear\nparameters: {densty: 1}\n" + tail),
                AllOf(HasSubstr("r.yaml:2"), HasSubstr("'density'")));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a, parameters: {wieght: 1}}]\n"),
                HasSubstr("'weight'"));
    EXPECT_THAT(error_of("merge_method: linear\n"), HasSubstr("models"));
    EXPECT_THAT(error_of("merge_method: linear\nslices: []\n" + tail), HasSubstr("slices"));
}

TEST(Recipe, RefusesByNameWhatItCanNotDo) {
    const std::string tail = "models: [{model: a, parameters: {weight: 1}}]\n";
    EXPECT_THAT(error_of("merge_method: linear\nmodules: {vision: {models: []}}\n"),
                AllOf(HasSubstr("'vision'"), HasSubstr("not supported")));
    EXPECT_THAT(error_of("merge_method: linear\nchat_template: alpacca\n" + tail),
                AllOf(HasSubstr("r.yaml:2"), HasSubstr("did you mean 'alpaca'?")));
    EXPECT_THAT(error_of("merge_method: linear\ndtype: float64\n" + tail), HasSubstr("float64"));
}

TEST(Recipe, SaysWhatBecomesOfKeysThatMergekitPassesOver) {
    const std::string tail = "models: [{model: a, parameters: {weight: 1}}]\n";
    const auto says = AllOf(HasSubstr("unknown key"), HasSubstr("mergekit passes over this key"));
    EXPECT_THAT(error_of("merge_method: slerp\nparameters: {embed_slerp: true}\n" + tail), says);
    EXPECT_THAT(error_of("merge_method: linear\nname: x\n" + tail), says);
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a, layer_range: [0, 2]}]\n"),
                says);
    EXPECT_EQ(parse("merge_method: linear\nmodels: [{model: {model: a, lora: null, "
                    "override_architecture: null}}]\n")
                  .models[0]
                  .model,
              "a");
}

TEST(Recipe, KnowsOtherFilesThatPeopleTakeForOne) {
    EXPECT_THAT(error_of("base_model: a\nexperts: []\n"), HasSubstr("mergekit-moe"));
    EXPECT_THAT(error_of("genome: {}\ntasks: []\n"), HasSubstr("mergekit-evolve"));
    EXPECT_THAT(error_of("galapagos: 1\nmerge: {}\n"), HasSubstr("galapagos evolve"));
    EXPECT_THAT(error_of("galapagos_task: 1\n"), HasSubstr("a task"));
}

TEST(Recipe, ReadsAndWritesTokenizers) {
    const std::string head = "merge_method: linear\nmodels: [{model: a}]\n";
    const Recipe recipe = parse(head + R"(
tokenizer:
  source: {model: {path: x}}
  pad_to_multiple_of: 8
  tokens:
    "<|a: b|>": {source: {kind: model_token, model: a, token: "\"é"}, force: true}
    b: {source: {kind: model_token, model: a, token_id: 3}}
    c: {source: {kind: zero}}
    d: {source: y+z}
)");
    using From = TokenSetting::From;
    ASSERT_TRUE(recipe.tokenizer.has_value());
    EXPECT_EQ(recipe.tokenizer->source, "x");
    EXPECT_EQ(recipe.tokenizer->pad_to_multiple_of, 8);
    EXPECT_THAT(
        recipe.tokenizer->tokens,
        ElementsAre(TokenSetting{"<|a: b|>", From::other_token, "a", "\"é", std::nullopt, true},
                    TokenSetting{"b", From::other_token, "a", "", 3, false},
                    TokenSetting{"c", From::zero, "", "", std::nullopt, false},
                    TokenSetting{"d", From::model, "y+z", "", std::nullopt, false}));
    EXPECT_EQ(parse(to_yaml(recipe)), recipe) << to_yaml(recipe);
    EXPECT_EQ(parse(head + "tokenizer_source: base\n").tokenizer,
              (TokenizerSetting{"base", {}, 1}));
    EXPECT_EQ(parse(head + "tokenizer: {}\n").tokenizer, TokenizerSetting{});
    EXPECT_EQ(parse(head).tokenizer, std::nullopt);
    EXPECT_EQ(parse(head + "chat_template: llama3\n").chat_template, "llama3");
}

TEST(Recipe, AModulesSectionIsItsOnlyModule) {
    const Recipe recipe = parse_recipe_text(
        "merge_method: task_arithmetic\nbase_model: base\nmodules:\n  default:\n"
        "    models: [{model: a}]\n"
        "    parameters: {weight: [{filter: mlp, value: 0.25}], lambda: 0.5}\n"
        "parameters: {weight: 0.75, lambda: 2, normalize: true}\n",
        "r.yaml");
    ASSERT_EQ(recipe.models.size(), 1u);
    const Parameters& parameters = recipe.parameters;
    EXPECT_EQ(evaluate_number(parameters.at("weight"), "mlp.up", 0), 0.25);
    EXPECT_EQ(evaluate_number(parameters.at("weight"), "norm", 0), 0.75);
    EXPECT_EQ(evaluate_number(parameters.at("lambda"), "norm", 0), 0.5);
    EXPECT_EQ(parameters.count("normalize"), 1u);
    EXPECT_EQ(parse_recipe_text(to_yaml(recipe), "again.yaml"), recipe);
}

TEST(Recipe, RefusesBadValues) {
    const auto with = [](const std::string& parameters) {
        return error_of("merge_method: linear\nmodels: [{model: a}]\nparameters: " + parameters +
                        "\n");
    };
    EXPECT_THAT(with("{weight: .nan}"), HasSubstr("number"));
    EXPECT_THAT(with("{weight: heavy}"), HasSubstr("number"));
    EXPECT_THAT(with("{weight: []}"), HasSubstr("empty"));
    EXPECT_THAT(with("{weight: [1, {value: 2}]}"), HasSubstr("filters"));
    EXPECT_THAT(with("{normalize: 0.5}"), HasSubstr("true"));
    EXPECT_THAT(with("{rescale: inverse_q}"), HasSubstr("inverse_p"));
    EXPECT_THAT(with("{weight: {filtre: a, value: 1}}"), HasSubstr("'filter'"));
    const auto range = [](const std::string& text) {
        return error_of("merge_method: linear\nslices: [{sources: [{model: a, layer_range: " +
                        text + "}, {model: b, layer_range: [0, 2]}]}]\n");
    };
    EXPECT_THAT(range("[2, 2]"), HasSubstr("layer range"));
    EXPECT_THAT(range("[-1, 2]"), HasSubstr("layer range"));
    EXPECT_THAT(range("[0, 1, 2]"), HasSubstr("two numbers"));
    EXPECT_THAT(range("[0, 3]"), HasSubstr("equally many"));
}

}  // namespace
}  // namespace galapagos
