#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "genome/search_settings.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <typename Settings>
Settings parse(const std::string& yaml) {
    Settings settings;
    read_options(YamlReader::from_text(yaml, "run.yaml"),
                 [&](OptionVisitor& visitor) { visit_options(visitor, settings); });
    return settings;
}

template <typename Settings>
std::string error_of(const std::string& yaml) {
    try {
        parse<Settings>(yaml);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

template <typename Settings>
std::string written(Settings settings) {
    YAML::Emitter out;
    out << write_options([&](OptionVisitor& visitor) { visit_options(visitor, settings); });
    return out.c_str();
}

TEST(SearchOptions, AreRead) {
    const auto settings = parse<SearchSettings>(R"(
layer_groups: 3
modules: [mlp, attention]
genes:
  weight: {lower: 0, upper: 1.5, initial: 0.7}
  density: 0.5
sources:
  maths: {weight: {upper: 2}, density: {fixed: 0.3}}
)");
    EXPECT_EQ(settings.layer_groups, 3);
    EXPECT_EQ(settings.modules, (std::vector{ModuleKind::attention, ModuleKind::mlp}));
    EXPECT_EQ(settings.genes.at("weight"), (GeneRange{0, 1.5, 0.7, false}));
    EXPECT_EQ(settings.genes.at("density"), GeneRange::fixed_at(0.5));
    // A source takes over what it doesn't say; new bounds start in their middle.
    EXPECT_EQ(settings.sources.at("maths").at("weight"), (GeneRange{0, 2, 1, false}));
    EXPECT_EQ(settings.sources.at("maths").at("density"), GeneRange::fixed_at(0.3));
}

TEST(SearchOptions, LayerGroupsMayBeListed) {
    const auto settings = parse<SearchSettings>("layer_groups: [4, 20]");
    EXPECT_EQ(settings.layer_groups, 3);
    EXPECT_EQ(settings.layer_boundaries, (std::vector{4, 20}));
}

TEST(SearchOptions, ErrorsNameThePlace) {
    const auto error = error_of<SearchSettings>;
    EXPECT_THAT(error("genes:\n  wieght: 1"), AllOf(HasSubstr("run.yaml:2"), HasSubstr("weight")));
    EXPECT_THAT(error("genes: {weight: {lower: 1, upper: 1}}"), HasSubstr("not below"));
    EXPECT_THAT(error("genes: {weight: {lower: 0, upper: 1, initial: 3}}"), HasSubstr("outside"));
    EXPECT_THAT(error("genes: {weight: {fixed: 1, upper: 2}}"), HasSubstr("no bounds"));
    EXPECT_THAT(error("genes: {density: {upper: 1.5}}"), HasSubstr("between 0 and 1"));
    EXPECT_THAT(error("genes: {t: -0.1}"), HasSubstr("between 0 and 1"));
    EXPECT_THAT(error("layer_groups: 0"), HasSubstr("at least one"));
    EXPECT_THAT(error("layer_groups: [5, 5]"), HasSubstr("doesn't come after"));
    EXPECT_THAT(error("modules: [atention]"), HasSubstr("attention"));
    EXPECT_THAT(error("space: fds"), HasSubstr("dfs"));
}

TEST(MergeOptions, AreRead) {
    const auto settings = parse<MergeSettings>(
        "{method: [ties, dare_ties], normalize: [true, false], rescale: inverse_p, "
        "lambda: {lower: 0.5, upper: 1.5}, dtype: bfloat16}");
    EXPECT_EQ(settings.methods, (std::vector<std::string>{"ties", "dare_ties"}));
    EXPECT_EQ(settings.normalize, (std::vector<bool>{true, false}));
    EXPECT_EQ(settings.rescale, std::vector<std::string>{"inverse_p"});
    EXPECT_EQ(*settings.lambda, (GeneRange{0.5, 1.5, 1, false}));
    EXPECT_EQ(settings.dtype, "bfloat16");
    EXPECT_EQ(parse<MergeSettings>("{rescale: true}").rescale, std::vector<std::string>{"true"});
    EXPECT_EQ(parse<MergeSettings>("{}").methods, std::vector<std::string>{"task_arithmetic"});
}

TEST(MergeOptions, ErrorsNameWhatIsNear) {
    const auto error = error_of<MergeSettings>;
    EXPECT_THAT(error("method: teis"), HasSubstr("ties"));
    EXPECT_THAT(error("method: []"), HasSubstr("empty"));
    EXPECT_THAT(error("method: [ties, ties]"), HasSubstr("twice"));
    EXPECT_THAT(error("rescale: l2"), HasSubstr("inverse_p"));
    EXPECT_THAT(error("normalise: true"), HasSubstr("normalize"));
    EXPECT_THAT(error("dtype: int8"), HasSubstr("int8"));
}

TEST(SearchOptions, AreWrittenSoThatTheyReadTheSame) {
    const std::string search = written(parse<SearchSettings>(
        "{layer_groups: [3, 9], modules: [norms, rest], genes: {weight: {lower: 0.1, upper: 0.7, "
        "initial: 0.3}, density: 0.5}, sources: {a: {t: 0.25}}}"));
    EXPECT_EQ(written(parse<SearchSettings>(search)), search);
    EXPECT_THAT(search, HasSubstr("0.1"));
    const std::string merge = written(parse<MergeSettings>(
        "{method: [ties, dare_ties], normalize: true, rescale: [true, inverse_p], lambda: 0.9}"));
    EXPECT_EQ(written(parse<MergeSettings>(merge)), merge);
    EXPECT_EQ(written(parse<MergeSettings>(written(MergeSettings{}))), written(MergeSettings{}));
}

TEST(SearchOptions, KeepSmooth) {
    const auto settings = parse<SearchSettings>("{layer_groups: 3, smooth: true}");
    EXPECT_TRUE(settings.smooth);
    EXPECT_TRUE(parse<SearchSettings>(written(settings)).smooth);
}

TEST(SearchOptions, HaveASchema) {
    SearchSettings search;
    MergeSettings merge;
    const auto schema = schema_of_options([&](OptionVisitor& visitor) {
        visit_options(visitor, search);
        visit_options(visitor, merge);
    });
    const auto& properties = schema.at("properties");
    EXPECT_EQ(properties.at("modules").at("oneOf").at(0).at("enum").size(), 6U);
    EXPECT_EQ(properties.at("layer_groups").at("oneOf").at(0).at("type"), "integer");
    EXPECT_EQ(properties.at("layer_groups").at("default"), 1);
    EXPECT_EQ(properties.at("genes").at("properties").size(), 9U);
    EXPECT_EQ(properties.at("genes").at("properties").at("weight").at("oneOf").size(), 3U);
    EXPECT_EQ(properties.at("sources").at("additionalProperties").at("type"), "object");
    EXPECT_EQ(properties.at("rescale").at("oneOf").at(0).at("enum").at(0), true);
    EXPECT_EQ(properties.at("method").at("oneOf").at(1).at("items").at("type"), "string");
    EXPECT_TRUE(properties.at("lambda").contains("description"));
}

}  // namespace
}  // namespace galapagos
