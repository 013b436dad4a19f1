#include "merge/plan_slices.hpp"

#include "merge/plan_fixture.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace test;

class PlanSlices : public PlanTest {};

TEST_F(PlanSlices, ModelsAreOneSliceWithTheBaseBehindThem) {
    const Recipe recipe = parse_recipe_text(
        "merge_method: ties\nbase_model: base\nmodels: [{model: b}, {model: a}]\n", "recipe.yaml");
    SourceLayouts layouts(sources_);
    const auto slices = resolve_slices(recipe, index_sources(sources_), layouts);
    ASSERT_EQ(slices.size(), 1u);
    EXPECT_EQ(slices[0].sources, (std::vector<int>{2, 1, 0}));
    EXPECT_EQ(slices[0].base, 2);
    EXPECT_EQ(slices[0].layers(), 5);
}

TEST_F(PlanSlices, RefusesWithTheReason) {
    const std::string weight = "\nparameters: {weight: 1}\n";
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: aa}]" + weight),
                AllOf(HasSubstr("'aa'"), HasSubstr("'a'")));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a}, {model: a}]" + weight),
                HasSubstr("twice"));
    EXPECT_THAT(error_of("merge_method: ties\nmodels: [{model: a}]" + weight),
                HasSubstr("base_model"));
    EXPECT_THAT(error_of("merge_method: slerp\nbase_model: base\nmodels: [{model: a}, {model: "
                         "b}]\nparameters: {t: 1}\n"),
                HasSubstr("3 models"));
    EXPECT_THAT(error_of("merge_method: linear\nslices: [{sources: [{model: a, layer_range: [3, "
                         "6]}]}]" +
                         weight),
                AllOf(HasSubstr("[3, 6)"), HasSubstr("5 layers")));
}

TEST_F(PlanSlices, RefusesModelsOfUnequalDepth) {
    TinyModelOptions options;
    options.layers = 4;
    make_tiny_model(folder_ / "short", options);
    sources_.push_back(Source::open({"short", folder_ / "short", std::nullopt}));
    EXPECT_THAT(error_of("merge_method: linear\nmodels: [{model: a}, {model: short}]\nparameters: "
                         "{weight: 1}\n"),
                HasSubstr("unequal numbers of layers"));
}

}  // namespace
}  // namespace galapagos
