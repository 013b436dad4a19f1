// Search spaces, up to the merge plan of a real (tiny) model.
#include "genome/parameter_space.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "genome/tensor_kinds.hpp"
#include "merge/plan.hpp"
#include "support/tiny_models.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace test;

class Spaces : public ::testing::Test {
  protected:
    void SetUp() override { open(false); }

    void open(bool tied) {
        sources_.clear();
        TinyModelOptions options;
        options.layers = 6;
        options.tied = tied;
        for (const char* name : {"base", "a", "b"}) {
            const std::filesystem::path path = reference(name) + (tied ? "-tied" : "");
            make_tiny_model(path, options);
            sources_.push_back(Source::open({name, path, std::nullopt}));
        }
    }
    SearchModels models() const {
        return {reference("base"),
                {{"maths", reference("a")}, {"json", reference("b")}},
                6,
                sources_[0]->tensor_names()};
    }
    std::string reference(const char* name) const { return (folder_ / name).string(); }

    static SearchSettings search_of(const std::string& yaml) {
        SearchSettings settings;
        read_options(YamlReader::from_text(yaml, "search"),
                     [&](OptionVisitor& visitor) { visit_options(visitor, settings); });
        return settings;
    }
    static MergeSettings merge_of(const std::string& yaml) {
        MergeSettings settings;
        read_options(YamlReader::from_text(yaml, "merge"),
                     [&](OptionVisitor& visitor) { visit_options(visitor, settings); });
        return settings;
    }
    ParameterSpace space(const std::string& search, const std::string& merge = "{}") const {
        return {search_of(search), merge_of(merge), models()};
    }
    std::string error_of(const std::string& search, const std::string& merge = "{}") const {
        try {
            space(search, merge);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "no error";
    }
    /// The plan after a round through YAML, as a user would merge the written recipe.
    std::map<std::string, TensorMerge> plan(const Recipe& recipe) const {
        const Recipe read = parse_recipe_text(to_yaml(recipe), "recipe.yaml");
        EXPECT_EQ(read, recipe);
        std::map<std::string, TensorMerge> tensors;
        for (const TensorMerge& tensor : make_plan(read, sources_, index()).tensors) {
            tensors[tensor.output_name] = tensor;
        }
        return tensors;
    }
    SourceIndex index() const { return index_sources(sources_); }

    static std::vector<std::string> names(const ParameterSpace& space) {
        std::vector<std::string> list;
        for (const Gene& gene : space.genes()) {
            list.push_back(gene.name);
        }
        return list;
    }
    /// A genome of values that all differ.
    static Genome distinct(const ParameterSpace& space) {
        Genome genome;
        for (const Gene& gene : space.genes()) {
            const double share = static_cast<double>(genome.size() + 1) /
                                 static_cast<double>(space.genes().size() + 1);
            genome.push_back(gene.type == GeneType::real
                                 ? gene.lower + share * (gene.upper - gene.lower)
                                 : gene.initial);
        }
        return genome;
    }
    static double value(const ParameterSpace& space, const Genome& genome,
                        const std::string& name) {
        for (size_t i = 0; i < genome.size(); ++i) {
            if (space.genes()[i].name == name) {
                return genome[i];
            }
        }
        ADD_FAILURE() << "no gene " << name;
        return 0;
    }

    TemporaryFolder folder_;
    std::vector<std::shared_ptr<const Source>> sources_;
};

TEST_F(Spaces, OneGeneForEachSourceByDefault) {
    const ParameterSpace global = space("{genes: {weight: {upper: 1.5, initial: 0.7}}}");
    EXPECT_THAT(names(global), ElementsAre("maths.weight", "json.weight"));
    EXPECT_EQ(global.genes()[0].initial, 0.7);
    const Recipe recipe = global.recipe({0.4, 1.1});
    EXPECT_EQ(recipe.models.size(), 3U);
    for (const auto& [name, tensor] : plan(recipe)) {
        ASSERT_EQ(tensor.inputs.size(), 2U) << name;
        EXPECT_EQ(tensor.inputs[0].weight, 0.4) << name;
        EXPECT_EQ(tensor.inputs[1].weight, 1.1) << name;
        EXPECT_EQ(tensor.method, Method::task_arithmetic);
        EXPECT_EQ(tensor.base->source, 0);
    }
}

TEST_F(Spaces, NamesTheGenesOfTheQuickstart) {
    const ParameterSpace space =
        this->space("{layer_groups: 3, modules: [attention, mlp], genes: {weight: {upper: 1.5}}}");
    EXPECT_THAT(names(space), ElementsAre("maths.weight.0-1.attention", "maths.weight.0-1.mlp",
                                          "maths.weight.2-3.attention", "maths.weight.2-3.mlp",
                                          "maths.weight.4-5.attention", "maths.weight.4-5.mlp",
                                          "json.weight.0-1.attention", "json.weight.0-1.mlp",
                                          "json.weight.2-3.attention", "json.weight.2-3.mlp",
                                          "json.weight.4-5.attention", "json.weight.4-5.mlp"));
    EXPECT_THAT(space.boundaries(), ElementsAre(0, 2, 4, 6));
}

TEST_F(Spaces, EveryTensorGetsItsOwnGene) {
    const ParameterSpace space =
        this->space("{layer_groups: [1, 4], modules: [attention, mlp, embeddings, head, norms]}",
                    "{method: ties}");
    const Genome genome = distinct(space);
    const char* layers[] = {"0-0", "1-3", "4-5"};
    const std::vector<ModuleKind> kinds = {ModuleKind::attention, ModuleKind::mlp,
                                           ModuleKind::embeddings, ModuleKind::head,
                                           ModuleKind::norms};
    std::set<double> used;
    const auto tensors = plan(space.recipe(genome));
    EXPECT_EQ(tensors.size(), sources_[0]->tensor_names().size());
    for (const auto& [name, tensor] : tensors) {
        const ModuleKind kind = kind_of(name, kinds);
        const int group = group_of(name, space.boundaries());
        const bool in_layers = kind != ModuleKind::embeddings && kind != ModuleKind::head;
        for (size_t source = 0; source < 2; ++source) {
            for (const char* parameter : {"weight", "density"}) {
                const std::string gene = std::string(source == 0 ? "maths." : "json.") + parameter +
                                         (in_layers ? std::string(".") + layers[group] : "") + "." +
                                         name_of(kind);
                const MergeInput& input = tensor.inputs[source];
                const double got =
                    std::string(parameter) == "weight" ? input.weight : input.density;
                EXPECT_EQ(got, value(space, genome, gene)) << name << " " << gene;
                used.insert(got);
            }
        }
    }
    // No gene is idle.
    EXPECT_EQ(used.size(), space.genes().size());
}

TEST_F(Spaces, SmoothValuesLieOnLinesBetweenPoints) {
    const ParameterSpace space =
        this->space("{layer_groups: 3, smooth: true, modules: [attention, embeddings, head, rest]}",
                    "{method: ties}");
    const std::vector<std::string> weights = {
        "maths.weight.0.attention", "maths.weight.3.attention", "maths.weight.5.attention",
        "maths.weight.embeddings",  "maths.weight.head",        "maths.weight.0.rest",
        "maths.weight.3.rest",      "maths.weight.5.rest"};
    auto genes = names(space);
    EXPECT_EQ(genes.size(), 4 * weights.size());  // weights and densities of two sources
    genes.resize(weights.size());
    EXPECT_EQ(genes, weights);

    const Genome genome = distinct(space);
    const Recipe recipe = space.recipe(genome);
    EXPECT_TRUE(recipe.slices.empty());
    const auto tensors = plan(recipe);
    const auto of = [&](const char* name) { return value(space, genome, name); };
    const auto weight = [&](const std::string& name) { return tensors.at(name).inputs[0].weight; };
    EXPECT_EQ(weight("model.embed_tokens.weight"), of("maths.weight.embeddings"));
    EXPECT_EQ(weight("lm_head.weight"), of("maths.weight.head"));
    EXPECT_EQ(weight("model.norm.weight"), of("maths.weight.0.rest"));
    for (int layer = 0; layer < 6; ++layer) {
        const double points[] = {of("maths.weight.0.attention"), of("maths.weight.3.attention"),
                                 of("maths.weight.5.attention")};
        const double place = layer / 5.0 * 2;  // the second point is in the middle, at 2.5
        const auto before = std::min(1, static_cast<int>(place));
        const double share = place - before;
        EXPECT_NEAR(weight("model.layers." + std::to_string(layer) + ".self_attn.q_proj.weight"),
                    (1 - share) * points[before] + share * points[before + 1], 1e-12)
            << layer;
    }
}

TEST_F(Spaces, EveryMethodCanBeSmooth) {
    for (const Method method : all_methods) {
        SearchModels models = this->models();
        if (method == Method::passthrough) models.sources.pop_back();
        const std::string name(name_of(method));
        const ParameterSpace space(search_of("{layer_groups: 4, smooth: true}"),
                                   merge_of("{method: " + name + "}"), models);
        EXPECT_EQ(plan(space.recipe(distinct(space))).size(), sources_[0]->tensor_names().size())
            << name;
    }
}

TEST_F(Spaces, SmoothKeepProbabilitiesOfDellaStayInBounds) {
    for (const char* ranges : {"{}", "{density: 0.25}", "{density: 1}", "{epsilon: 0.4}"}) {
        const ParameterSpace space =
            this->space(std::string("{layer_groups: 4, smooth: true, genes: ") + ranges + "}",
                        "{method: della}");
        Genome genome;
        for (const Gene& gene : space.genes()) {
            // Densities of 1 beside others, and the largest spreads.
            const bool high = gene.name.find("epsilon") != std::string::npos ||
                              gene.name.find(".density.2") != std::string::npos;
            genome.push_back(high ? gene.upper : 0.5 * (gene.lower + gene.upper));
        }
        for (const auto& [name, tensor] : plan(space.recipe(genome))) {
            for (const MergeInput& input : tensor.inputs) {
                if (input.density >= 1) continue;
                EXPECT_GT(input.density - input.epsilon, 0) << name << " " << ranges;
                EXPECT_LT(input.density + input.epsilon, 1) << name << " " << ranges;
            }
        }
    }
}

TEST_F(Spaces, KindsThatAreNotListedStayAtTheInitialValueOrShareRest) {
    const std::string genes = "genes: {weight: {upper: 1.5, initial: 0.6}}";
    const ParameterSpace fixed = space("{modules: [mlp], " + genes + "}");
    ASSERT_THAT(names(fixed), ElementsAre("maths.weight.mlp", "json.weight.mlp"));
    auto tensors = plan(fixed.recipe({0.2, 0.9}));
    EXPECT_EQ(tensors["model.layers.5.mlp.up_proj.weight"].inputs[1].weight, 0.9);
    EXPECT_EQ(tensors["model.layers.5.self_attn.q_proj.weight"].inputs[1].weight, 0.6);
    EXPECT_EQ(tensors["lm_head.weight"].inputs[0].weight, 0.6);

    const ParameterSpace shared = space("{modules: [mlp, rest], layer_groups: 2, " + genes + "}");
    ASSERT_EQ(shared.genes().size(), 8U);
    const Genome genome = distinct(shared);
    tensors = plan(shared.recipe(genome));
    EXPECT_EQ(tensors["model.norm.weight"].inputs[0].weight,
              value(shared, genome, "maths.weight.3-5.rest"));
    EXPECT_EQ(tensors["model.embed_tokens.weight"].inputs[0].weight,
              value(shared, genome, "maths.weight.0-2.rest"));
}

TEST_F(Spaces, SourcesMayDiffer) {
    const ParameterSpace space = this->space(
        "{genes: {weight: {upper: 1.5}}, sources: {json: {weight: 0.8}}}", "{method: dare_ties}");
    EXPECT_THAT(names(space), ElementsAre("maths.weight", "maths.density", "json.density"));
    const auto tensors = plan(space.recipe({0.1, 0.2, 0.3}));
    const TensorMerge& tensor = tensors.at("model.layers.0.mlp.up_proj.weight");
    EXPECT_EQ(tensor.inputs[0].weight, 0.1);
    EXPECT_EQ(tensor.inputs[0].density, 0.2);
    EXPECT_EQ(tensor.inputs[1].weight, 0.8);
    EXPECT_EQ(tensor.inputs[1].density, 0.3);
}

TEST_F(Spaces, TheMethodAndItsSettingsMayBeGenes) {
    const ParameterSpace space =
        this->space("{genes: {weight: 1, density: 0.5}}",
                    "{method: [task_arithmetic, dare_ties], normalize: [false, true], "
                    "rescale: [true, false, inverse_p], lambda: {lower: 0.5, upper: 1.5}}");
    ASSERT_THAT(names(space), ElementsAre("method", "normalize", "rescale", "lambda"));
    EXPECT_EQ(space.genes()[0].type, GeneType::categorical);
    EXPECT_EQ(space.genes()[1].type, GeneType::binary);
    const std::string tensor = "model.layers.0.mlp.up_proj.weight";
    TensorMerge merge = plan(space.recipe({1, 1, 2, 0.75}))[tensor];
    EXPECT_EQ(merge.method, Method::dare_ties);
    EXPECT_TRUE(merge.normalize);
    EXPECT_EQ(merge.rescale, Rescale::inverse_p);
    EXPECT_EQ(merge.lambda, 0.75);
    EXPECT_EQ(merge.inputs[0].density, 0.5);
    merge = plan(space.recipe({1, 0, 0, 1}))[tensor];
    EXPECT_FALSE(merge.normalize);
    EXPECT_EQ(merge.rescale, Rescale::l1);
    EXPECT_EQ(plan(space.recipe({1, 0, 1, 1}))[tensor].rescale, Rescale::none);
    EXPECT_EQ(plan(space.recipe({0, 0, 0, 1}))[tensor].method, Method::task_arithmetic);
}

TEST_F(Spaces, SlerpGoesBetweenTwoModels) {
    const ParameterSpace two =
        space("{layer_groups: 2, modules: [attention, rest]}", "{method: slerp}");
    ASSERT_THAT(names(two), ElementsAre("json.t.0-2.attention", "json.t.0-2.rest",
                                        "json.t.3-5.attention", "json.t.3-5.rest"));
    const Genome genome = distinct(two);
    auto tensors = plan(two.recipe(genome));
    const TensorMerge& merge = tensors["model.layers.4.self_attn.q_proj.weight"];
    EXPECT_EQ(merge.t, genome[2]);
    EXPECT_EQ(merge.base->source, 1);
    EXPECT_EQ(merge.inputs.at(0).source, 2);

    SearchModels models = this->models();
    models.sources.pop_back();
    const ParameterSpace one(search_of("{}"), merge_of("{method: slerp}"), models);
    ASSERT_THAT(names(one), ElementsAre("maths.t"));
    tensors = plan(one.recipe({0.3}));
    EXPECT_EQ(tensors["model.norm.weight"].t, 0.3);
    EXPECT_EQ(tensors["model.norm.weight"].base->source, 0);
}

TEST_F(Spaces, MethodsOfTwoModelsShareASearch) {
    const ParameterSpace space = this->space("{}", "{method: [arcee_fusion, slerp]}");
    ASSERT_THAT(names(space), ElementsAre("method", "json.t"));
    const Recipe fusion = space.recipe({0, 0.3});
    EXPECT_EQ(fusion.method, Method::arcee_fusion);
    EXPECT_TRUE(fusion.parameters.empty());
    EXPECT_FALSE(plan(fusion).empty());
    const auto slerped = plan(space.recipe({1, 0.3}));
    EXPECT_EQ(slerped.at("model.norm.weight").t, 0.3);
}

TEST_F(Spaces, LinearNeedsNoBase) {
    SearchModels models = this->models();
    models.base.clear();
    const ParameterSpace space(search_of("{}"), merge_of("{method: linear, normalize: false}"),
                               models);
    const auto tensors = plan(space.recipe({0.25, 0.75}));
    EXPECT_EQ(tensors.at("lm_head.weight").inputs.size(), 2U);
    EXPECT_FALSE(tensors.at("lm_head.weight").normalize);
    EXPECT_THROW(ParameterSpace(search_of("{}"), merge_of("{method: ties}"), models), UsageError);
}

TEST_F(Spaces, EveryMethodCanBeSearched) {
    const std::map<Method, std::vector<std::string>> own_genes = {
        {Method::breadcrumbs, {"maths.weight", "maths.density", "maths.gamma"}},
        {Method::della, {"maths.weight", "maths.density", "maths.epsilon"}},
        {Method::nuslerp, {"maths.weight", "json.weight"}},
        {Method::nearswap, {"json.t"}},
        {Method::sce, {"select_topk"}},
        {Method::ram, {"epsilon"}},
        {Method::ramplus_tl, {"epsilon", "r", "alpha"}},
        {Method::passthrough, {"maths.scale"}},
        {Method::karcher, {}},
    };
    for (const Method method : all_methods) {
        SearchModels models = this->models();
        if (method == Method::passthrough) models.sources.pop_back();
        const std::string name(name_of(method));
        const ParameterSpace space(search_of("{layer_groups: 2}"),
                                   merge_of("{method: " + name + "}"), models);
        const ParameterSpace one(search_of("{}"), merge_of("{method: " + name + "}"), models);
        if (const auto own = own_genes.find(method); own != own_genes.end()) {
            for (const std::string& gene : own->second) {
                EXPECT_THAT(names(one), ::testing::Contains(gene)) << name;
            }
            if (own->second.empty()) {
                EXPECT_TRUE(one.genes().empty()) << name;
            }
        }
        for (const Genome& genome : {initial_genome(space.genes()), distinct(space)}) {
            const Recipe recipe = space.recipe(genome);
            EXPECT_EQ(parse_recipe_text(to_yaml(recipe), name), recipe);
            EXPECT_EQ(plan(recipe).size(), sources_[0]->tensor_names().size()) << name;
        }
    }
}

TEST_F(Spaces, KeepProbabilitiesOfDellaStayInBounds) {
    const ParameterSpace space = this->space("{}", "{method: della}");
    ASSERT_THAT(names(space), ElementsAre("maths.weight", "maths.density", "maths.epsilon",
                                          "json.weight", "json.density", "json.epsilon"));
    const auto tensors = plan(space.recipe({0.5, 0.1, 0.25, 0.5, 0.9, 0.05}));
    const TensorMerge& tensor = tensors.at("model.norm.weight");
    EXPECT_NEAR(tensor.inputs[0].epsilon, 0.0999, 1e-12);
    EXPECT_EQ(tensor.inputs[1].epsilon, 0.05);
}

TEST_F(Spaces, RefuseContradictions) {
    EXPECT_THAT(error_of("{}", "{method: [della, ram]}"), HasSubstr("epsilon"));
    EXPECT_THAT(error_of("{}", "{method: passthrough}"), HasSubstr("one"));

    EXPECT_THAT(error_of("{layer_groups: 7}"), HasSubstr("6 layers"));
    EXPECT_THAT(error_of("{layer_groups: [2, 6]}"), HasSubstr("6 layers"));
    EXPECT_EQ(error_of("{layer_groups: 6}"), "no error");
    EXPECT_EQ(error_of("{layer_groups: 6, smooth: true}"), "no error");
    EXPECT_THAT(error_of("{layer_groups: 7, smooth: true}"), HasSubstr("6 layers"));
    EXPECT_THAT(error_of("{smooth: true}"), HasSubstr("from 2 on"));
    EXPECT_THAT(error_of("{layer_groups: [2, 4], smooth: true}"), HasSubstr("from 2 on"));
    EXPECT_THAT(error_of("{sources: {math: {weight: 1}}}"), HasSubstr("maths"));
    EXPECT_THAT(error_of("{}", "{method: [slerp, ties]}"), HasSubstr("alone"));
    EXPECT_THAT(error_of("{}", "{method: [slerp, nearswap]}"), HasSubstr("alone"));
    SearchModels three = models();
    three.sources.push_back({"third", reference("base")});
    EXPECT_THROW(ParameterSpace(search_of("{}"), merge_of("{method: slerp}"), three), UsageError);
    three.sources[2].name = "maths";
    EXPECT_THROW(ParameterSpace(search_of("{}"), merge_of("{}"), three), UsageError);
    open(true);
    EXPECT_THAT(error_of("{modules: [mlp, head]}"), HasSubstr("tied"));
    const ParameterSpace space = this->space("{}");
    EXPECT_THROW(space.recipe({0.5}), Error);
    EXPECT_THROW(space.recipe({0.5, 7}), Error);
}

TEST_F(Spaces, FormsAreARecipeOfEachMethod) {
    const std::vector<Recipe> one = space("{layer_groups: 2}", "{method: ties}").forms();
    ASSERT_EQ(one.size(), 1u);
    EXPECT_EQ(one.front().method, Method::ties);
    EXPECT_EQ(one.front().slices.size(), 2u);
    const ParameterSpace several = space("{}", "{method: [linear, ties, dare_ties]}");
    std::vector<Method> methods;
    for (const Recipe& recipe : several.forms()) {
        methods.push_back(recipe.method);
        EXPECT_NO_THROW(make_plan(recipe, sources_, index()));
    }
    EXPECT_THAT(methods, ElementsAre(Method::linear, Method::ties, Method::dare_ties));
}

}  // namespace
}  // namespace galapagos
