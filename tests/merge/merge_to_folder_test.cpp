#include "merge/merge_to_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using namespace test;

class MergeToFolder : public ::testing::Test {
  protected:
    MergeToFolder() {
        options_.layers = 3;
        options_.vocab = 300;
        options_.tokenizer = true;
        options_.dtype = DType::bf16;
        sources_ = tiny_sources(folder_, {"base", "a", "b"}, options_);
        fs::create_directory(folder_ / "work");
        merge_options_.sources.cache_folder = folder_ / "cache";
    }

    /// The recipe with paths in place of the names base, a and b.
    Recipe recipe(const std::string& yaml) const {
        Recipe result = parse_recipe_text(yaml, "recipe.yaml");
        const auto to_path = [&](std::string& model) { model = (folder_ / model).string(); };
        for (RecipeInput& input : result.models) to_path(input.model);
        for (RecipeSlice& slice : result.slices)
            for (RecipeInput& input : slice.sources) to_path(input.model);
        if (result.base_model) to_path(*result.base_model);
        return result;
    }

    std::vector<std::string> left_in_work() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder_ / "work"))
            names.push_back(entry.path().filename().string());
        return names;
    }

    TemporaryFolder folder_;
    TinyModelOptions options_;
    Sources sources_;
    MergeToFolderOptions merge_options_;
};

TEST_F(MergeToFolder, WritesACompleteModel) {
    const fs::path out = folder_ / "work" / "merged";
    Recipe wanted = recipe(recipes_of_all_methods()[3]);
    wanted.out_dtype = DType::f16;
    std::size_t calls = 0;
    merge_options_.progress = [&](std::size_t done, std::size_t total) {
        EXPECT_EQ(done, ++calls);
        EXPECT_EQ(total, sources_[0]->tensor_names().size());
    };
    merge_options_.max_shard_bytes = 20'000;
    merge_to_folder(wanted, out, merge_options_);
    EXPECT_EQ(calls, sources_[0]->tensor_names().size());
    EXPECT_THAT(left_in_work(), UnorderedElementsAre("merged"));

    const ModelFolder merged(out);
    EXPECT_EQ(merged.tensor_names(), sources_[0]->tensor_names());
    EXPECT_GT(merged.weight_files().size(), 1u);
    const nlohmann::json config = merged.config();
    EXPECT_EQ(config.at(config.contains("torch_dtype") ? "torch_dtype" : "dtype"), "float16");
    EXPECT_EQ(config.at("num_hidden_layers"), 3);
    EXPECT_EQ(read_text(out / "tokenizer.json"), read_text(folder_ / "base" / "tokenizer.json"));
    EXPECT_EQ(parse_recipe(out / recipe_file_name), wanted);

    const MergePlan plan = plan_of(recipes_of_all_methods()[3], sources_);
    Merger merger(sources_, Sharding(), 0);
    for (const TensorMerge& tensor : plan.tensors) {
        const TensorView written = merged.tensor(tensor.output_name);
        ASSERT_EQ(written.dtype, DType::f16);
        std::vector<std::byte> expected(written.bytes());
        merger.merge_tensor(tensor, std::nullopt, {expected.data(), DType::f16, tensor.shape});
        EXPECT_EQ(std::memcmp(expected.data(), written.data, expected.size()), 0)
            << tensor.output_name;
    }
}

TEST_F(MergeToFolder, SlicesChangeTheNumberOfLayers) {
    const Recipe wanted = recipe(R"(
merge_method: linear
slices:
  - sources: [{model: a, layer_range: [0, 2]}]
  - sources: [{model: b, layer_range: [0, 3]}]
parameters: {weight: 1}
)");
    merge_to_folder(wanted, folder_ / "work" / "deep", merge_options_);
    const ModelFolder merged(folder_ / "work" / "deep");
    EXPECT_EQ(merged.config().at("num_hidden_layers"), 5);
    const char* suffix = ".mlp.down_proj.weight";
    EXPECT_EQ(floats_of(merged.tensor("model.layers.4" + std::string(suffix))),
              floats_of(sources_[2]->tensor("model.layers.2" + std::string(suffix))));
    EXPECT_EQ(floats_of(merged.tensor("model.embed_tokens.weight")),
              floats_of(sources_[1]->tensor("model.embed_tokens.weight")));
    EXPECT_EQ(floats_of(merged.tensor("lm_head.weight")),
              floats_of(sources_[2]->tensor("lm_head.weight")));
}

constexpr const char* stack = R"(
merge_method: linear
slices:
  - sources: [{model: typed, layer_range: [0, 2]}]
  - sources: [{model: typed, layer_range: [1, 3]}]
parameters: {weight: 1}
)";

TEST_F(MergeToFolder, LayersKeepTheTypesThatConfigLists) {
    TinyModelOptions typed = options_;
    typed.extra_config = {{"model_type", "of another program"}, {"layer_types", {"x", "y", "z"}}};
    make_tiny_model(folder_ / "typed", typed);
    merge_to_folder(recipe(stack), folder_ / "work" / "deep", merge_options_);
    EXPECT_EQ(ModelFolder(folder_ / "work" / "deep").config().at("layer_types"),
              nlohmann::json({"x", "y", "y", "z"}));
}

TEST_F(MergeToFolder, LayersKeepTheWindowsThatTheirNumbersGaveThem) {
    TinyModelOptions typed = options_;
    typed.extra_config = {{"model_type", "gemma2"}, {"sliding_window", 8}};
    make_tiny_model(folder_ / "typed", typed);
    merge_to_folder(recipe(stack), folder_ / "work" / "deep", merge_options_);
    const char *sliding = "sliding_attention", *full = "full_attention";
    EXPECT_EQ(ModelFolder(folder_ / "work" / "deep").config().at("layer_types"),
              nlohmann::json({sliding, full, full, sliding}));
    // Two layers on, every other layer still has a window without being told so.
    Recipe even = recipe(stack);
    even.slices[1].sources[0].layer_range = Range{0, 2};
    merge_to_folder(even, folder_ / "work" / "even", merge_options_);
    EXPECT_FALSE(ModelFolder(folder_ / "work" / "even").config().contains("layer_types"));
    // Layers that are all alike need no list.
    typed.extra_config = {{"model_type", "mistral"}, {"sliding_window", 8}};
    fs::remove_all(folder_ / "typed");
    make_tiny_model(folder_ / "typed", typed);
    merge_to_folder(recipe(stack), folder_ / "work" / "alike", merge_options_);
    EXPECT_FALSE(ModelFolder(folder_ / "work" / "alike").config().contains("layer_types"));
}

TEST_F(MergeToFolder, AdaptersAreSources) {
    make_tiny_adapter(folder_ / "lora", options_);
    Recipe wanted =
        recipe("merge_method: linear\nmodels: [{model: base}]\nparameters: {weight: 1}\n");
    wanted.models[0].model += "+" + (folder_ / "lora").string();
    merge_to_folder(wanted, folder_ / "work" / "adapted", merge_options_);
    const ModelFolder merged(folder_ / "work" / "adapted");
    const auto source =
        Source::open({"x", folder_ / "base", folder_ / "lora"}, merge_options_.sources);
    for (const std::string& name : merged.tensor_names())
        EXPECT_EQ(floats_of(merged.tensor(name)), floats_of(source->tensor(name))) << name;
    const std::string changed = "model.layers.0.self_attn.q_proj.weight";
    EXPECT_NE(floats_of(merged.tensor(changed)), floats_of(sources_[0]->tensor(changed)));
}

TEST_F(MergeToFolder, LeavesNothingBehindOnFailure) {
    Recipe wanted = recipe(recipes_of_all_methods()[0]);
    wanted.models[1].model = (folder_ / "missing").string();
    EXPECT_THROW(merge_to_folder(wanted, folder_ / "work" / "x", merge_options_), Error);
    EXPECT_TRUE(left_in_work().empty());

    // A failure in the middle of writing.
    wanted = recipe(recipes_of_all_methods()[0]);
    merge_options_.progress = [](std::size_t done, std::size_t) {
        if (done == 5) throw Error("stop");
    };
    EXPECT_THROW(merge_to_folder(wanted, folder_ / "work" / "x", merge_options_), Error);
    EXPECT_TRUE(left_in_work().empty());
}

TEST_F(MergeToFolder, RefusesAnExistingOutput) {
    const Recipe wanted = recipe(recipes_of_all_methods()[0]);
    fs::create_directory(folder_ / "work" / "x");
    EXPECT_THROW(merge_to_folder(wanted, folder_ / "work" / "x", merge_options_), UsageError);
    EXPECT_THROW(merge_to_folder(wanted, folder_ / "nowhere" / "x", merge_options_), UsageError);
    EXPECT_THAT(left_in_work(), UnorderedElementsAre("x"));
    EXPECT_TRUE(fs::is_empty(folder_ / "work" / "x"));
}

TEST_F(MergeToFolder, ATiedSourceLendsItsEmbeddingAsHead) {
    TinyModelOptions tied = options_;
    tied.tied = true;
    make_tiny_model(folder_ / "tied", tied);
    const Sources sources = open_named(folder_, {"a", "tied"});
    const MergePlan plan = plan_of(
        "merge_method: linear\nmodels: [{model: a}, {model: tied}]\nparameters: {weight: 1}\n",
        sources);
    const auto head =
        std::find_if(plan.tensors.begin(), plan.tensors.end(),
                     [](const TensorMerge& t) { return t.output_name == "lm_head.weight"; });
    ASSERT_NE(head, plan.tensors.end());
    EXPECT_EQ(head->inputs[0].tensor, "lm_head.weight");
    EXPECT_EQ(head->inputs[1].tensor, "model.embed_tokens.weight");

    // The result is not tied, even if the model that lends its config.json is.
    merge_to_folder(recipe("merge_method: linear\nbase_model: tied\nmodels: [{model: a}, {model: "
                           "tied}]\nparameters: {weight: 1}\n"),
                    folder_ / "work" / "merged", merge_options_);
    const ModelFolder merged(folder_ / "work" / "merged");
    EXPECT_EQ(merged.config().at("tie_word_embeddings"), false);
    EXPECT_TRUE(merged.has("lm_head.weight"));
}

}  // namespace
}  // namespace galapagos
