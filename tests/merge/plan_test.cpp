#include "merge/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "merge/merge_fixtures.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace test;

class Plan : public ::testing::Test {
  protected:
    Plan() {
        TinyModelOptions options;
        options.layers = 5;
        sources_ = tiny_sources(folder_, {"base", "a", "b"}, options);
    }

    MergePlan plan(const std::string& yaml) const { return plan_of(yaml, sources_); }
    static const TensorMerge& find(const MergePlan& plan, const std::string& name) {
        const auto found =
            std::find_if(plan.tensors.begin(), plan.tensors.end(),
                         [&](const TensorMerge& tensor) { return tensor.output_name == name; });
        if (found == plan.tensors.end()) throw std::runtime_error("no tensor " + name);
        return *found;
    }
    std::string error_of(const std::string& yaml) const {
        try {
            plan(yaml);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    }

    TemporaryFolder folder_;
    Sources sources_;
};

TEST_F(Plan, CoversEveryTensorOnce) {
    const MergePlan result =
        plan("merge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1}\n");
    EXPECT_EQ(result.layers, 5);
    std::vector<std::string> names;
    for (const TensorMerge& tensor : result.tensors) names.push_back(tensor.output_name);
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, sources_[0]->tensor_names());
    EXPECT_TRUE(result.tensors[0].normalize);
    EXPECT_FALSE(result.tensors[0].base.has_value());
}

TEST_F(Plan, GradientsRunOverTheLayersOfASlice) {
    const MergePlan result = plan(R"(
merge_method: ties
base_model: base
models:
  - model: a
    parameters:
      weight: [0, 1]
      density: [{filter: mlp, value: [1, 0.5, 0]}, {value: 0.25}]
parameters: {lambda: [2, 3], normalize: [true, false]}
)");
    const TensorMerge& first = find(result, "model.layers.0.mlp.up_proj.weight");
    EXPECT_DOUBLE_EQ(first.inputs.at(0).weight, 0);
    EXPECT_DOUBLE_EQ(first.inputs.at(0).density, 1);
    const TensorMerge& second = find(result, "model.layers.1.mlp.up_proj.weight");
    EXPECT_DOUBLE_EQ(second.inputs.at(0).weight, 0.25);
    EXPECT_DOUBLE_EQ(second.inputs.at(0).density, 0.75);
    EXPECT_DOUBLE_EQ(second.lambda, 2.25);
    EXPECT_TRUE(second.normalize);
    const TensorMerge& last = find(result, "model.layers.4.self_attn.q_proj.weight");
    EXPECT_DOUBLE_EQ(last.inputs.at(0).weight, 1);
    EXPECT_DOUBLE_EQ(last.inputs.at(0).density, 0.25);
    EXPECT_FALSE(last.normalize);
    // Embeddings and head take the first point of a gradient.
    EXPECT_DOUBLE_EQ(find(result, "lm_head.weight").inputs.at(0).weight, 0);
    EXPECT_DOUBLE_EQ(find(result, "model.norm.weight").lambda, 2);
    EXPECT_EQ(first.base->source, 0);
}

TEST_F(Plan, TheMostSpecificLevelCounts) {
    const MergePlan result = plan(R"(
merge_method: task_arithmetic
base_model: base
slices:
  - sources:
      - {model: base, layer_range: [0, 1]}
      - {model: a, layer_range: [1, 2], parameters: {weight: [{filter: layers.1.mlp, value: 1}]}}
      - {model: b, layer_range: [0, 1]}
    parameters: {weight: {filter: self_attn, value: 2}, lambda: 5}
  - sources:
      - {model: a, layer_range: [0, 3]}
      - {model: base, layer_range: [2, 5]}
parameters: {weight: 3, lambda: [6, 7]}
)");
    EXPECT_EQ(result.layers, 4);
    // Filters of weights look at the source's name: layer 1 of model a goes into layer 0.
    const TensorMerge& mlp = find(result, "model.layers.0.mlp.up_proj.weight");
    ASSERT_EQ(mlp.inputs.size(), 2u);
    EXPECT_EQ(mlp.inputs[0].tensor, "model.layers.1.mlp.up_proj.weight");
    EXPECT_DOUBLE_EQ(mlp.inputs[0].weight, 1);
    EXPECT_DOUBLE_EQ(mlp.inputs[1].weight, 3);
    EXPECT_DOUBLE_EQ(mlp.lambda, 5);
    const TensorMerge& attention = find(result, "model.layers.0.self_attn.k_proj.weight");
    EXPECT_DOUBLE_EQ(attention.inputs[0].weight, 2);
    EXPECT_DOUBLE_EQ(attention.inputs[1].weight, 2);
    // The second slice: base and a change places, depth counts within the slice.
    const TensorMerge& later = find(result, "model.layers.2.mlp.up_proj.weight");
    EXPECT_EQ(later.inputs.at(0).tensor, "model.layers.1.mlp.up_proj.weight");
    EXPECT_EQ(later.base->tensor, "model.layers.3.mlp.up_proj.weight");
    EXPECT_DOUBLE_EQ(later.lambda, 6.5);
    // A slice of one layer has depth 1, and embeddings take the first slice, the head the last.
    EXPECT_EQ(find(result, "model.embed_tokens.weight").inputs.size(), 2u);
    EXPECT_EQ(find(result, "lm_head.weight").inputs.size(), 1u);
    EXPECT_DOUBLE_EQ(find(result, "lm_head.weight").lambda, 6);
}

TEST_F(Plan, OneLayerSliceHasDepthOne) {
    const MergePlan result = plan(R"(
merge_method: slerp
base_model: base
slices:
  - sources: [{model: a, layer_range: [2, 3]}, {model: base, layer_range: [2, 3]}]
parameters: {t: [0.25, 0.75]}
)");
    EXPECT_DOUBLE_EQ(find(result, "model.layers.0.mlp.up_proj.weight").t, 0.75);
    EXPECT_DOUBLE_EQ(find(result, "model.embed_tokens.weight").t, 0.25);
}

TEST_F(Plan, DefaultsAreThoseOfMergekit) {
    const std::string tail = "\nbase_model: base\nmodels: [{model: a, parameters: {weight: 1}}]\n";
    struct Expected {
        const char* method;
        bool normalize;
        Rescale rescale;
    };
    for (const Expected& e :
         {Expected{"task_arithmetic", false, Rescale::none}, Expected{"ties", true, Rescale::none},
          Expected{"dare_linear", false, Rescale::l1}, Expected{"dare_ties", false, Rescale::l1}}) {
        const MergePlan result = plan("merge_method: " + std::string(e.method) + tail);
        EXPECT_EQ(result.tensors[0].normalize, e.normalize) << e.method;
        EXPECT_EQ(result.tensors[0].rescale, e.rescale) << e.method;
        EXPECT_EQ(result.tensors[0].inputs.at(0).density, 1) << e.method;
        EXPECT_EQ(result.tensors[0].lambda, 1) << e.method;
    }
}

TEST_F(Plan, ElementTypes) {
    TemporaryFolder folder;
    TinyModelOptions options;
    make_tiny_model(folder / "f32", options);
    options.dtype = DType::bf16;
    make_tiny_model(folder / "bf16", options);
    options.dtype = DType::f16;
    make_tiny_model(folder / "f16", options);
    const Sources sources = open_named(folder, {"f32", "bf16", "f16"});
    const auto dtype = [&](const std::string& models, const std::string& more) {
        return plan_of("merge_method: linear\nmodels: [" + models + "]\nparameters: {weight: 1}\n" +
                           more,
                       sources)
            .tensors[0]
            .dtype;
    };
    EXPECT_EQ(dtype("{model: bf16}", ""), DType::bf16);
    EXPECT_EQ(dtype("{model: bf16}, {model: f32}", ""), DType::f32);
    EXPECT_EQ(dtype("{model: bf16}, {model: f16}", ""), DType::f32);
    EXPECT_EQ(dtype("{model: f32}", "dtype: float16"), DType::f16);
    EXPECT_EQ(dtype("{model: f16}", "dtype: float32\nout_dtype: bfloat16"), DType::bf16);
}

TEST_F(Plan, RefusesWithTheReason) {
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a}]\n"),
                AllOf(HasSubstr("weight"), HasSubstr("'a'")));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: aa}]\nparameters: {weight: 1}\n"),
                AllOf(HasSubstr("'aa'"), HasSubstr("'a'")));
    EXPECT_THAT(
        error_of(
            "merge_method: linear\nmodels: [{model: a}, {model: a}]\nparameters: {weight: 1}\n"),
        HasSubstr("twice"));
    EXPECT_THAT(error_of("merge_method: ties\nmodels: [{model: a}]\nparameters: {weight: 1}\n"),
                HasSubstr("base_model"));
    EXPECT_THAT(error_of("merge_method: slerp\nbase_model: base\nmodels: [{model: a}, {model: "
                         "b}]\nparameters: {t: 1}\n"),
                HasSubstr("3 models"));
    EXPECT_THAT(error_of("merge_method: slerp\nbase_model: base\nmodels: [{model: a}]\n"),
                HasSubstr("'t'"));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, "
                         "{model: b, parameters: {weight: -1}}]\n"),
                HasSubstr("sum to zero"));
    EXPECT_THAT(error_of("merge_method: linear\nslices: [{sources: [{model: a, layer_range: [3, "
                         "6]}]}]\nparameters: {weight: 1}\n"),
                AllOf(HasSubstr("[3, 6)"), HasSubstr("5 layers")));
}

TEST_F(Plan, RefusesDifferentShapes) {
    TinyModelOptions options;
    options.layers = 5;
    options.vocab = 80;
    make_tiny_model(folder_ / "wide", options);
    sources_.push_back(Source::open({"wide", folder_ / "wide", std::nullopt}));
    EXPECT_THAT(
        error_of(
            "merge_method: linear\nmodels: [{model: a}, {model: wide}]\nparameters: {weight: 1}\n"),
        AllOf(HasSubstr("model.embed_tokens.weight"), HasSubstr("[80, 32]"), HasSubstr("'wide'")));
}

}  // namespace
}  // namespace galapagos
