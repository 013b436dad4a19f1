#include "genome/path_space.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/yaml.hpp"

namespace galapagos::test {
namespace {

class PathSpaceTest : public ::testing::Test {
  protected:
    static SearchModels models() {
        return {"", {{"jp", "m/jp", 4}, {"maths", "m/maths+lora", 3}}, 4, {}};
    }
    static SearchSettings settings(const std::string& path) {
        SearchSettings search;
        read_options(YamlReader::from_text("{space: dfs, path: " + path + "}", "search"),
                     [&](OptionVisitor& visitor) { visit_options(visitor, search); });
        return search;
    }
    static PathSpace space(const std::string& path) { return {settings(path), {}, models()}; }

    static std::size_t gene(const PathSpace& space, const std::string& name) {
        const auto& genes = space.genes();
        const auto found = std::find_if(genes.begin(), genes.end(),
                                        [&](const Gene& gene) { return gene.name == name; });
        EXPECT_NE(found, genes.end()) << name;
        return static_cast<std::size_t>(found - genes.begin());
    }
    /// "jp.0 jp.1*0.5": the path of a genome.
    static std::string path_of(const PathSpace& space, const Genome& genome) {
        std::string text;
        const Recipe recipe = space.recipe(genome);
        for (const PathHop& hop : recipe.layer_path->hops) {
            if (!text.empty()) text += ' ';
            text += hop.layer.model.substr(2, hop.layer.model.find('+') - 2) + '.' +
                    std::to_string(hop.layer.layer);
            if (hop.scale != 1) text += '*' + std::to_string(hop.scale).substr(0, 4);
        }
        return text;
    }
    static std::string refusal(const std::string& path, const MergeSettings& merge = {},
                               SearchModels models = PathSpaceTest::models()) {
        try {
            const PathSpace space(settings(path), merge, std::move(models));
        } catch (const UsageError& error) {
            return error.what();
        }
        return "no error";
    }
};

TEST_F(PathSpaceTest, TheSearchStartsAtTheFirstSource) {
    for (const char* indicators : {"binary", "real"}) {
        const auto space = this->space(std::string("{indicators: ") + indicators + "}");
        const Genome start = initial_genome(space.genes());
        EXPECT_EQ(path_of(space, start), "jp.0 jp.1 jp.2 jp.3");
        EXPECT_EQ(space.recipe(start).base_model, "m/jp");
    }
    EXPECT_EQ(space("{}").genes().size(), 2U * 3 * 7);
}

TEST_F(PathSpaceTest, StepsAreTakenInTheirOrderWithTheirScales) {
    const auto space = this->space("{repeats: 2, max_hops: 9}");
    Genome genome = initial_genome(space.genes());
    genome[gene(space, "use.1.jp.2")] = 0;
    genome[gene(space, "use.1.maths.1")] = 1;
    genome[gene(space, "use.2.jp.0")] = 1;
    genome[gene(space, "use.2.maths.2")] = 1;
    genome[gene(space, "scale.1.maths.1")] = 0.75;
    genome[gene(space, "scale.2.maths.2")] = 1.25;
    genome[gene(space, "scale.1.jp.2")] = 0.5;  // of a step that isn't taken
    genome[gene(space, "scale.1.jp.0")] = 0.5;  // of the first hop
    EXPECT_EQ(path_of(space, genome), "jp.0 jp.1 jp.3 maths.1*0.75 jp.0 maths.2*1.25");
    EXPECT_EQ(space.recipe(genome).layer_path->hops[3].layer.model, "m/maths+lora");
}

TEST_F(PathSpaceTest, AScaleForEachPairOfLayers) {
    const auto space = this->space("{repeats: 2, scales: pairs, max_hops: 9}");
    EXPECT_EQ(space.genes().size(), 2U * 7 + 7 * 7);
    Genome genome = initial_genome(space.genes());
    genome[gene(space, "use.2.maths.0")] = 1;
    genome[gene(space, "use.2.jp.1")] = 1;
    genome[gene(space, "scale.jp.1.to.jp.2")] = 0.75;
    genome[gene(space, "scale.jp.3.to.jp.1")] = 0.5;  // over the end of the list
    genome[gene(space, "scale.jp.1.to.maths.0")] = 1.5;
    EXPECT_EQ(path_of(space, genome), "jp.0 jp.1 jp.2*0.75 jp.3 jp.1*0.50 maths.0*1.50");
}

TEST_F(PathSpaceTest, BlocksComeTogetherAndAreScaledOnce) {
    const auto space = this->space("{repeats: 1, block: 2, max_hops: 8}");
    Genome genome = initial_genome(space.genes());
    EXPECT_EQ(genome.size(), 2U * 4);  // jp 0-1, 2-3, maths 0-1, 2
    genome[gene(space, "use.1.jp.0-1")] = 0;
    genome[gene(space, "use.1.maths.0-1")] = 1;
    genome[gene(space, "use.1.maths.2")] = 1;
    genome[gene(space, "scale.1.maths.0-1")] = 0.5;
    EXPECT_EQ(path_of(space, genome), "jp.2 jp.3 maths.0*0.50 maths.1 maths.2");
}

TEST_F(PathSpaceTest, AFixedScaleHasNoGenes) {
    const auto space = this->space("{repeats: 1, scale: 0.5, scale_rule: stream}");
    EXPECT_EQ(space.genes().size(), 7U);
    const Genome start = initial_genome(space.genes());
    EXPECT_EQ(path_of(space, start), "jp.0 jp.1*0.50 jp.2*0.50 jp.3*0.50");
    EXPECT_EQ(space.recipe(start).layer_path->rule, ScaleRule::stream);
}

TEST_F(PathSpaceTest, GenomesOfNoModelSayWhy) {
    const auto space = this->space("{}");
    EXPECT_EQ(space.max_hops(), 8);
    const auto reason = [&](double indicator) -> std::string {
        Genome genome = initial_genome(space.genes());
        std::fill_n(genome.begin(), 21, indicator);
        try {
            space.recipe(genome);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_NE(reason(0).find("takes no layer"), std::string::npos) << reason(0);
    EXPECT_NE(reason(1).find("has 21 hops, search.path.max_hops is 8"), std::string::npos)
        << reason(1);
}

TEST_F(PathSpaceTest, AScaleMattersWhereItsStepIsTaken) {
    const auto space = this->space("{}");
    const auto& genes = space.genes();
    for (std::size_t i = 0; i < genes.size(); ++i) {
        if (genes[i].name.starts_with("use")) {
            EXPECT_FALSE(genes[i].condition) << genes[i].name;
        } else {
            EXPECT_EQ(genes.at(genes[i].condition.value()).name.substr(3), genes[i].name.substr(5));
        }
    }
    const auto pairs = this->space("{scales: pairs}");
    for (const Gene& gene : pairs.genes()) EXPECT_FALSE(gene.condition) << gene.name;
}

TEST_F(PathSpaceTest, TheFirstPathsDifferInOneStepOnAverage) {
    const auto space = this->space("{}");
    double flips = 0;
    for (const Gene& gene : space.genes())
        if (gene.type == GeneType::binary) flips += gene.spread;
    EXPECT_NEAR(flips, 1, 1e-9);
}

TEST_F(PathSpaceTest, TheFormRunsThroughEveryLayerOnce) {
    const auto space = this->space("{block: 2}");
    const auto forms = space.forms();
    ASSERT_EQ(forms.size(), 1U);
    EXPECT_EQ(forms[0].layer_path->hops.size(), 7U);
    EXPECT_EQ(forms[0].layer_path->hops.back().layer, (LayerOfModel{"m/maths+lora", 2}));
}

TEST_F(PathSpaceTest, TheBaseGivesEmbeddings) {
    auto models = PathSpaceTest::models();
    models.base = "m/chat";
    const PathSpace space(settings("{}"), {}, models);
    EXPECT_EQ(space.recipe(initial_genome(space.genes())).base_model, "m/chat");
    EXPECT_EQ(path_of(space, initial_genome(space.genes())), "jp.0 jp.1 jp.2 jp.3");
}

TEST_F(PathSpaceTest, RecipesAreReadBack) {
    const auto space = this->space("{scale_rule: stream}");
    Genome genome = initial_genome(space.genes());
    genome[gene(space, "scale.1.jp.1")] = 1.0 / 3 + 0.5;
    const Recipe recipe = space.recipe(genome);
    EXPECT_EQ(parse_recipe_text(to_yaml(recipe), "recipe"), recipe);
}

TEST_F(PathSpaceTest, ContradictionsAreRefused) {
    EXPECT_NE(refusal("{max_hops: 3}").find("starts at the 4 layers of jp"), std::string::npos);
    EXPECT_NE(refusal("{max_hops: 1025}").find("a path has at most 1024"), std::string::npos);
    MergeSettings merge;
    merge.methods = {"ties"};
    EXPECT_NE(refusal("{}", merge).find("merge is about mixing weights"), std::string::npos);
    merge = {};
    merge.dtype = "float32";
    EXPECT_EQ(refusal("{}", merge), "no error");
    auto twins = models();
    twins.sources[1].name = "jp";
    EXPECT_NE(refusal("{}", {}, twins).find("two sources are named 'jp'"), std::string::npos);
    auto search = settings("{}");
    search.layer_groups = 2;
    EXPECT_THROW(PathSpace(search, {}, models()), UsageError);
    search = settings("{repeats: 2}");
    search.space = SearchSettings::Space::ps;
    EXPECT_THROW(make_search_space(search, {}, {"m", models().sources, 4, {"x"}}), UsageError);
}

}  // namespace
}  // namespace galapagos::test
