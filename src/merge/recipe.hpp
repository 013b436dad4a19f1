// A recipe: the complete description of one merged model, as a mergekit YAML document holds it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merge/layer_path.hpp"
#include "merge/method.hpp"
#include "merge/parameter.hpp"
#include "merge/tokenizer_setting.hpp"
#include "weights/dtype.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

using Parameters = std::map<std::string, ParameterSetting>;

/// One source model of a slice. `model` is a reference: "folder" or "folder+adapter".
struct RecipeInput {
    std::string model;
    std::optional<Range> layer_range;  ///< half-open; required in slices, absent under `models`
    Parameters parameters;

    bool operator==(const RecipeInput&) const = default;
};

/// A run of output layers, made from equally long runs of layers of the sources.
struct RecipeSlice {
    std::vector<RecipeInput> sources;
    std::optional<std::string> base_model;  ///< takes the place of the recipe's
    Parameters parameters;

    bool operator==(const RecipeSlice&) const = default;
};

/// A mergekit document, or a layer path, which mergekit lacks. Exactly one of `models`, `slices`
/// and `layer_path` is filled.
struct Recipe {
    Method method = Method::linear;
    std::vector<RecipeInput> models;
    std::vector<RecipeSlice> slices;
    std::optional<LayerPath> layer_path;
    std::optional<std::string> base_model;
    Parameters parameters;
    std::optional<DType> dtype;
    std::optional<DType> out_dtype;
    /// Without it all models must have the same tokens.
    std::optional<TokenizerSetting> tokenizer;
    /// "auto": the template that most of the models have; else the name of one in
    /// merge/chat_templates.hpp, or a Jinja text. Empty: the base's.
    std::string chat_template;
    /// Seed of random masks. Not a key of mergekit, which ignores it.
    std::optional<std::uint64_t> random_seed;

    bool operator==(const Recipe&) const = default;
};

/// Reads a recipe file. Relative model paths are kept as they are: they are taken from the working
/// directory, as mergekit does. Throws UsageError that names file, line and key.
Recipe parse_recipe(const std::filesystem::path& path);
/// The same from text; `origin` stands for the file name in messages.
Recipe parse_recipe_text(const std::string& text, const std::string& origin);

/// YAML that mergekit reads with the same meaning (except `rescale: inverse_p` and layer paths,
/// which it lacks).
/// Numbers are written so that they are read back bit for bit.
std::string to_yaml(const Recipe& recipe);

/// All model references in order of first mention, the base last if it is mentioned nowhere else.
std::vector<std::string> referenced_models(const Recipe& recipe);

/// The model whose config.json and tokenizer the result takes over, and under a layer path its
/// embeddings, final norm and head: the base, else the first.
std::string donor_model(const Recipe& recipe);

}  // namespace galapagos
