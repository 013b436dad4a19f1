#include "merge/plan_parameters.hpp"

#include "merge/plan_fixture.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace test;

class PlanParameters : public PlanTest {};

TEST_F(PlanParameters, GradientsRunOverTheLayersOfASlice) {
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

TEST_F(PlanParameters, TheMostSpecificLevelCounts) {
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

TEST_F(PlanParameters, OneLayerSliceHasDepthOne) {
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

TEST_F(PlanParameters, DefaultsAreThoseOfMergekit) {
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

TEST_F(PlanParameters, RefusesWithTheReason) {
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a}]\n"),
                AllOf(HasSubstr("weight"), HasSubstr("'a'")));
    EXPECT_THAT(error_of("merge_method: slerp\nbase_model: base\nmodels: [{model: a}]\n"),
                HasSubstr("'t'"));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}, "
                         "{model: b, parameters: {weight: -1}}]\n"),
                HasSubstr("sum to zero"));
    EXPECT_THAT(error_of("merge_method: della\nbase_model: base\nmodels: [{model: a}]\n"
                         "parameters: {weight: 1, density: 0.1, epsilon: 0.2}\n"),
                HasSubstr("make epsilon smaller"));
}

}  // namespace
}  // namespace galapagos
