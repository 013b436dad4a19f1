#include "merge/plan.hpp"

#include "merge/plan_fixture.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace test;

class Plan : public PlanTest {};

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
