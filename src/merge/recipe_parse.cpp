// Reading mergekit YAML, strictly.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "base/yaml.hpp"
#include "merge/chat_templates.hpp"
#include "merge/recipe.hpp"
#include "merge/recipe_keys.hpp"
#include "merge/recipe_reading.hpp"

namespace galapagos {

namespace {

enum class Kind { number, flag, rescale };

struct ParameterRule {
    const char* name;
    Kind kind;
};

/// All parameters of mergekit's methods. Those that a recipe's method has no use for are accepted
/// and ignored, as mergekit does: people keep them when they change the method.
constexpr ParameterRule parameter_rules[] = {
    {"weight", Kind::number},
    {"density", Kind::number},
    {"lambda", Kind::number},
    {"t", Kind::number},
    {"gamma", Kind::number},
    {"epsilon", Kind::number},
    {"normalize", Kind::flag},
    {"int8_mask", Kind::flag},
    {"rescale", Kind::rescale},
    {"scale", Kind::number},
    {"select_topk", Kind::number},
    {"filter_wise", Kind::flag},
    {"r", Kind::number},
    {"alpha", Kind::number},
    {"normalize_weights", Kind::flag},
    {"eps", Kind::number},
    {"tol", Kind::number},
    {"nuslerp_flatten", Kind::flag},
    {"max_iter", Kind::number},
    {"nuslerp_row_wise", Kind::flag},
};

const std::vector<std::string>& parameter_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const ParameterRule& rule : parameter_rules) all.emplace_back(rule.name);
        return all;
    }();
    return names;
}

ParameterScalar read_scalar(const YamlReader& reader, Kind kind) {
    if (!reader.is_scalar()) reader.fail("a number, true/false or text is expected here");
    ParameterScalar value;
    if (reader.looks_like_bool())
        value = reader.as_bool();
    else if (reader.looks_like_number())
        value = reader.as_double();
    else
        value = reader.as_string();
    if (kind == Kind::number && !as_number(value)) reader.fail("not a finite number");
    if (kind == Kind::flag && !as_flag(value)) reader.fail("neither true nor false");
    if (kind == Kind::rescale && !as_flag(value) &&
        value != ParameterScalar(std::string("inverse_p")) &&
        value != ParameterScalar(std::string("l1")))
        reader.fail("unknown rescale rule", "true (or l1), false or inverse_p");
    return value;
}

std::vector<ParameterScalar> read_values(const YamlReader& reader, Kind kind) {
    if (!reader.is_list()) return {read_scalar(reader, kind)};
    std::vector<ParameterScalar> values;
    for (const YamlReader& element : reader.elements())
        values.push_back(read_scalar(element, kind));
    if (values.empty()) reader.fail("the list is empty");
    return values;
}

ParameterCase read_case(const YamlReader& reader, Kind kind) {
    reader.allow_only({"filter", "value"});
    ParameterCase result;
    if (const auto filter = reader.find("filter"); filter && !filter->is_null())
        result.filter = filter->as_string();
    result.values = read_values(reader.at("value"), kind);
    return result;
}

ParameterSetting read_setting(const YamlReader& reader, Kind kind) {
    std::vector<ParameterCase> cases;
    if (reader.is_map()) {
        cases.push_back(read_case(reader, kind));
    } else if (reader.is_list()) {
        const std::vector<YamlReader> elements = reader.elements();
        const auto maps = std::count_if(elements.begin(), elements.end(),
                                        [](const YamlReader& e) { return e.is_map(); });
        if (maps != 0 && maps != static_cast<std::ptrdiff_t>(elements.size()))
            reader.fail("a list mixes plain values with filters",
                        "give every element a value, and a filter unless it is the last");
        if (maps == 0)
            cases.push_back({"", read_values(reader, kind)});
        else
            for (const YamlReader& element : elements) cases.push_back(read_case(element, kind));
    } else {
        cases.push_back({"", {read_scalar(reader, kind)}});
    }
    return ParameterSetting(std::move(cases));
}

Parameters read_parameters(const YamlReader& parent) {
    Parameters result;
    const auto reader = parent.find("parameters");
    if (!reader || reader->is_null()) return result;
    allow_recipe_keys(*reader, parameter_names());
    for (const std::string& name : reader->keys()) {
        const auto rule =
            std::find_if(std::begin(parameter_rules), std::end(parameter_rules),
                         [&](const ParameterRule& candidate) { return candidate.name == name; });
        result[name] = read_setting(reader->at(name), rule->kind);
    }
    return result;
}

RecipeSlice read_slice(const YamlReader& reader) {
    allow_recipe_keys(reader, {"sources", "base_model", "residual_weight", "parameters"});
    RecipeSlice slice;
    for (const YamlReader& source : reader.at("sources").elements()) {
        allow_recipe_keys(source, {"model", "layer_range", "parameters"});
        slice.sources.push_back({read_model_reference(source.at("model")),
                                 read_layer_range(source.at("layer_range")),
                                 read_parameters(source)});
        if (slice.sources.back().layer_range->size() != slice.sources.front().layer_range->size())
            source.at("layer_range").fail("the sources of a slice must have equally many layers");
    }
    if (slice.sources.empty()) reader.fail("the slice has no sources");
    if (const auto base = reader.find("base_model"); base && !base->is_null())
        slice.base_model = read_model_reference(*base);
    slice.parameters = read_parameters(reader);
    return slice;
}

void read_inputs(const YamlReader& reader, Recipe& recipe) {
    const bool has_models = reader.has("models") && !reader.at("models").is_null();
    const bool has_slices = reader.has("slices") && !reader.at("slices").is_null();
    if (has_models == has_slices)
        reader.fail("a recipe has either 'models' or 'slices'",
                    "list the source models under 'models:'");
    if (has_models) {
        for (const YamlReader& model : reader.at("models").elements()) {
            allow_recipe_keys(model, {"model", "parameters"});
            recipe.models.push_back(
                {read_model_reference(model.at("model")), std::nullopt, read_parameters(model)});
        }
        if (recipe.models.empty()) reader.at("models").fail("no models are listed");
    } else {
        for (const YamlReader& slice : reader.at("slices").elements())
            recipe.slices.push_back(read_slice(slice));
        if (recipe.slices.empty()) reader.at("slices").fail("no slices are listed");
    }
}

/// What `less` says counts where `parameters` says nothing: its cases come after theirs.
void add_parameters(const Parameters& less, Parameters& parameters) {
    for (const auto& [name, setting] : less) {
        std::vector<ParameterCase>& cases = parameters[name].cases;
        cases.insert(cases.end(), setting.cases.begin(), setting.cases.end());
    }
}

/// Section `modules`. A language model is a single module, which mergekit calls "default".
void read_module(const YamlReader& reader, const YamlReader& modules, Recipe& recipe) {
    for (const char* other : {"models", "slices"})
        if (reader.has(other) && !reader.at(other).is_null())
            modules.fail(std::string("a recipe has either 'modules' or '") + other + "'");
    for (const std::string& name : modules.keys())
        if (name != "default")
            modules.at(name).fail("module '" + name + "' is not supported",
                                  "a language model is one module, called 'default'");
    const YamlReader module = modules.at("default");
    allow_recipe_keys(module, {"models", "slices", "parameters"});
    read_inputs(module, recipe);
    recipe.parameters = read_parameters(module);
}

/// A Jinja text, "auto" or the name of a template.
std::string read_chat_template(const YamlReader& reader) {
    const std::string text = reader.as_string();
    if (text.find('{') != std::string::npos || text == "auto" || find_chat_template(text))
        return text;
    std::vector<std::string> known = chat_template_names();
    known.emplace_back("auto");
    std::string hint = name_hint(text, known);
    reader.fail("chat template '" + text + "' is not known", hint);
}

Method read_method(const YamlReader& reader) {
    const std::string name = reader.as_string();
    if (const auto method = parse_method(name)) return *method;
    reader.fail("unknown merge method '" + name + "'", name_hint(name, method_names()));
}

std::optional<DType> read_dtype(const YamlReader& parent, const char* key) {
    const auto reader = parent.find(key);
    if (!reader || reader->is_null()) return std::nullopt;
    const auto dtype = parse_dtype(reader->as_string());
    if (!dtype || !is_mergeable(*dtype))
        reader->fail("element type '" + reader->as_string() + "' is not supported",
                     "float32, float16 or bfloat16");
    return dtype;
}

std::uint64_t read_seed(const YamlReader& reader) {
    const std::string text = reader.as_string();
    std::uint64_t seed = 0;
    const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (status != std::errc() || rest != text.data() + text.size())
        reader.fail("a seed is a whole number from 0 to 2^64 - 1");
    return seed;
}

/// Section `layer_path`, and what has no place beside it: layers run as they are.
void read_path(const YamlReader& reader, Recipe& recipe) {
    for (const char* other : {"models", "slices", "modules", "parameters", "random_seed",
                              "tokenizer", "tokenizer_source"})
        if (reader.has(other))
            reader.at(other).fail(fmt::format("a recipe with a layer path has no '{}'", other),
                                  "layers run as they are: merge first, and name the result");
    if (const auto method = reader.find("merge_method");
        method && read_method(*method) != Method::passthrough)
        method->fail("a recipe with a layer path merges nothing", "leave out merge_method");
    recipe.method = Method::passthrough;
    recipe.layer_path = read_layer_path(reader.at("layer_path"));
}

Recipe read_recipe(const YamlReader& reader) {
    refuse_other_files(reader);
    allow_recipe_keys(reader, {"merge_method", "layer_path", "models", "slices", "base_model",
                               "parameters", "dtype", "out_dtype", "random_seed", "modules",
                               "tokenizer_source", "tokenizer", "chat_template"});
    Recipe recipe;
    const auto modules = reader.find("modules");
    if (reader.has("layer_path")) {
        read_path(reader, recipe);
    } else {
        recipe.method = read_method(reader.at("merge_method"));
        if (modules && !modules->is_null())
            read_module(reader, *modules, recipe);
        else
            read_inputs(reader, recipe);
    }
    if (const auto base = reader.find("base_model"); base && !base->is_null())
        recipe.base_model = read_model_reference(*base);
    add_parameters(read_parameters(reader), recipe.parameters);
    recipe.dtype = read_dtype(reader, "dtype");
    recipe.out_dtype = read_dtype(reader, "out_dtype");
    recipe.tokenizer = read_tokenizer_setting(reader);
    if (const auto chat = reader.find("chat_template"); chat && !chat->is_null())
        recipe.chat_template = read_chat_template(*chat);
    if (const auto seed = reader.find("random_seed"); seed && !seed->is_null())
        recipe.random_seed = read_seed(*seed);
    return recipe;
}

}  // namespace

std::string read_model_reference(const YamlReader& reader) {
    if (!reader.is_map()) {
        std::string reference = reader.as_string();
        if (reference.empty()) reader.fail("the model is empty");
        return reference;
    }
    reader.allow_only({"model", "lora", "override_architecture"});
    if (const auto other = reader.find("override_architecture"); other && !other->is_null())
        other->fail("override_architecture is not supported");
    const auto read_path = [](const YamlReader& part) {
        if (!part.is_map()) return part.as_string();
        part.allow_only({"path", "revision"});
        if (part.has("revision") && !part.at("revision").is_null())
            part.at("revision")
                .fail("revisions on a hub are not supported",
                      "download the model and name its folder");
        return part.at("path").as_string();
    };
    std::string reference = read_path(reader.at("model"));
    if (const auto lora = reader.find("lora"); lora && !lora->is_null())
        reference.append("+").append(read_path(*lora));
    return reference;
}

Range read_layer_range(const YamlReader& reader) {
    const std::vector<YamlReader> ends = reader.elements();
    if (ends.size() != 2) reader.fail("a layer range has two numbers", "[first, end)");
    const Range range{ends[0].as_int(), ends[1].as_int()};
    if (range.begin < 0 || range.end <= range.begin)
        reader.fail("the layer range is empty or negative", "[first, end), with end after first");
    return range;
}

Recipe parse_recipe(const std::filesystem::path& path) {
    return read_recipe(YamlReader::from_file(path));
}

Recipe parse_recipe_text(const std::string& text, const std::string& origin) {
    return read_recipe(YamlReader::from_text(text, origin));
}

std::vector<std::string> referenced_models(const Recipe& recipe) {
    std::vector<std::string> references;
    const auto add = [&](const std::string& reference) {
        if (std::find(references.begin(), references.end(), reference) == references.end())
            references.push_back(reference);
    };
    if (recipe.layer_path)
        for (const PathHop& hop : recipe.layer_path->hops) add(hop.layer.model);
    for (const RecipeInput& input : recipe.models) add(input.model);
    for (const RecipeSlice& slice : recipe.slices) {
        for (const RecipeInput& input : slice.sources) add(input.model);
        if (slice.base_model) add(*slice.base_model);
    }
    if (recipe.base_model) add(*recipe.base_model);
    return references;
}

std::string donor_model(const Recipe& recipe) {
    return recipe.base_model ? *recipe.base_model : referenced_models(recipe).front();
}

}  // namespace galapagos
