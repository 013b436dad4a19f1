// The options of the config sections `search` and `merge`.
#include <fmt/format.h>

#include "base/nearest.hpp"
#include "genome/gene_range_options.hpp"
#include "merge/method.hpp"

namespace galapagos {

namespace {

const std::vector<std::string> module_names = {"attention", "mlp",   "embeddings",
                                               "head",      "norms", "rest"};

void read_layer_groups(const YamlReader& reader, SearchSettings& settings) {
    settings.layer_groups = 1;
    settings.layer_boundaries.clear();
    if (reader.is_scalar()) {
        const auto count = reader.as_int();
        if (count < 1) {
            reader.fail("there must be at least one group of layers");
        }
        settings.layer_groups = static_cast<int>(count);
        return;
    }
    for (const YamlReader& element : reader.elements()) {
        const int first = static_cast<int>(element.as_int());
        const int previous =
            settings.layer_boundaries.empty() ? 0 : settings.layer_boundaries.back();
        if (first <= previous) {
            element.fail(fmt::format("layer {} doesn't come after layer {}", first, previous),
                         "list the first layer of each group but the first, in order");
        }
        settings.layer_boundaries.push_back(first);
    }
    settings.layer_groups = static_cast<int>(settings.layer_boundaries.size()) + 1;
}

CustomOption layer_groups_option(SearchSettings& settings) {
    return {{{"oneOf",
              {{{"type", "integer"}, {"minimum", 1}},
               {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 1}}}}}},
             {"default", 1}},
            [&](const YamlReader& reader) { read_layer_groups(reader, settings); },
            [&] {
                return settings.layer_boundaries.empty() ? YAML::Node(settings.layer_groups)
                                                         : YAML::Node(settings.layer_boundaries);
            }};
}

void visit_modules(OptionVisitor& visitor, SearchSettings& settings) {
    std::vector<std::string> names;
    for (const ModuleKind kind : settings.modules) {
        names.emplace_back(name_of(kind));
    }
    visitor.option("modules", names,
                   {.help = "kinds of modules with genes of their own; others keep the initial "
                            "value unless `rest` is listed; none listed: one gene for all",
                    .choices = module_names});
    settings.modules.clear();
    for (size_t i = 0; i < module_names.size(); ++i) {
        if (std::find(names.begin(), names.end(), module_names[i]) != names.end()) {
            settings.modules.push_back(static_cast<ModuleKind>(i));
        }
    }
}

CustomOption sources_option(SearchSettings& settings) {
    return {{{"type", "object"}, {"additionalProperties", ranges_schema()}},
            [&](const YamlReader& reader) {
                settings.sources.clear();
                for (const std::string& source : reader.keys()) {
                    settings.sources[source] = read_ranges(reader.at(source), settings.genes);
                }
            },
            [&] {
                YAML::Node node(YAML::NodeType::Map);
                for (const auto& [source, ranges] : settings.sources) {
                    node[source] = write_ranges(ranges);
                }
                return settings.sources.empty() ? YAML::Node() : node;
            }};
}

void visit_path(OptionVisitor& visitor, PathSettings& path) {
    visitor.whole(
        "repeats", path.repeats,
        {.help = "how many times the list of all layers is offered", .minimum = 1, .maximum = 64});
    visitor.whole("block", path.block,
                  {.help = "layers of a source that are taken or left out together", .minimum = 1});
    visitor.choice("indicators", path.indicators, {"binary", "real"},
                   {.help = "genes that say which layers run; real: numbers that count above 0, "
                            "for optimisers that know only such (cma_es)"});
    visitor.choice("scales", path.scales, {"steps", "pairs"},
                   {.help = "a scale gene for each layer that is offered, or for each pair of "
                            "layers (the paper's matrix W)"});
    visitor.custom(
        "scale",
        {range_schema(),
         [&](const YamlReader& reader) { path.scale = read_range(reader, PathSettings{}.scale); },
         [&] { return write_range(path.scale); }},
        {.help = "range of the scales, or a number: no genes"});
    visitor.choice("scale_rule", path.scale_rule, {"branch", "stream"},
                   {.help = "what a scale multiplies: what the layer before added, or all"});
    visitor.whole("max_hops", path.max_hops,
                  {.help = "longer paths fail; each hop has a key-value cache. 0: twice the layers "
                           "of the first source",
                   .minimum = 0});
}

/// A value, or a list of values of which a gene picks one.
template <typename Value, typename Read>
void read_choices(const YamlReader& reader, std::vector<Value>& values, Read read) {
    values.clear();
    const auto elements = reader.is_list() ? reader.elements() : std::vector{reader};
    for (const YamlReader& element : elements) {
        const Value value = read(element);
        if (std::find(values.begin(), values.end(), value) != values.end()) {
            element.fail("the same value is listed twice");
        }
        values.push_back(value);
    }
    if (values.empty()) {
        reader.fail("the list is empty", "give one value, or several to search among");
    }
}

nlohmann::ordered_json choices_schema(const nlohmann::ordered_json& item) {
    return {{"oneOf", {item, {{"type", "array"}, {"items", item}, {"minItems", 1}}}}};
}

template <typename Value>
YAML::Node write_choices(const std::vector<Value>& values) {
    if (values.empty()) {
        return {};
    }
    YAML::Node list(YAML::NodeType::Sequence);
    for (const Value& value : values) {
        list.push_back(value);
    }
    return values.size() == 1 ? YAML::Node(list[0]) : list;
}

CustomOption methods_option(MergeSettings& settings) {
    const auto read = [](const YamlReader& element) {
        const std::string name = element.as_string();
        if (!parse_method(name)) {
            element.fail("unknown merge method '" + name + "'", name_hint(name, method_names()));
        }
        return name;
    };
    nlohmann::ordered_json schema = choices_schema({{"type", "string"}, {"enum", method_names()}});
    schema["default"] = "task_arithmetic";
    return {std::move(schema),
            [&settings, read](const YamlReader& reader) {
                read_choices(reader, settings.methods, read);
            },
            [&] { return write_choices(settings.methods); }};
}

CustomOption normalize_option(MergeSettings& settings) {
    return {choices_schema({{"type", "boolean"}}),
            [&](const YamlReader& reader) {
                read_choices(reader, settings.normalize,
                             [](const YamlReader& element) { return element.as_bool(); });
            },
            [&] { return write_choices(settings.normalize); }};
}

CustomOption rescale_option(MergeSettings& settings) {
    const auto read = [](const YamlReader& element) -> std::string {
        if (element.looks_like_bool()) {
            return element.as_bool() ? "true" : "false";
        }
        const std::string rule = element.as_string();
        if (rule != "l1" && rule != "inverse_p") {
            element.fail("unknown rescale rule '" + rule + "'", "true (or l1), false or inverse_p");
        }
        return rule;
    };
    return {choices_schema({{"enum", {true, false, "l1", "inverse_p"}}}),
            [&settings, read](const YamlReader& reader) {
                read_choices(reader, settings.rescale, read);
            },
            [&] { return write_choices(settings.rescale); }};
}

}  // namespace

const char* name_of(ModuleKind kind) { return module_names[static_cast<size_t>(kind)].c_str(); }

void visit_options(OptionVisitor& visitor, SearchSettings& settings) {
    visitor.choice("space", settings.space, {"ps", "dfs"},
                   {.help = "what is searched; ps: parameter space, the mixing weights; dfs: "
                            "data-flow space, the path through the sources' layers"});
    visitor.custom(
        "layer_groups", layer_groups_option(settings),
        {.help = "groups of layers with genes of their own: how many (of equal size), or "
                 "the first layer of each group but the first"});
    visitor.option("smooth", settings.smooth,
                   {.help = "layer_groups points instead, from the first to the last layer, and "
                            "between them values on a line (mergekit's gradients)"});
    visit_modules(visitor, settings);
    visitor.custom(
        "genes",
        {ranges_schema(),
         [&](const YamlReader& reader) { settings.genes = read_ranges(reader, {}); },
         [&] { return settings.genes.empty() ? YAML::Node() : write_ranges(settings.genes); }},
        {.help = "ranges of the methods' parameters (weight, density, t ...): a number or {fixed: "
                 "0.5}, or {lower: 0, upper: 1, initial: 0.5}"});
    visitor.custom("sources", sources_option(settings),
                   {.help = "for single sources by name: ranges that differ from `genes`"});
    visitor.section("path", "the data-flow space (space: dfs)",
                    [&](OptionVisitor& path) { visit_path(path, settings.path); });
}

void visit_options(OptionVisitor& visitor, MergeSettings& settings) {
    visitor.custom("method", methods_option(settings),
                   {.help = "merge method; a list lets a gene choose"});
    visitor.custom("normalize", normalize_option(settings),
                   {.help = "divide by the sum of the weights; [true, false]: a gene (default: "
                            "the method's)"});
    visitor.custom("rescale", rescale_option(settings),
                   {.help = "how a sparsified task vector makes up for what was dropped: true (or "
                            "l1), false, inverse_p; a list: a gene (default: the method's)"});
    visitor.custom("lambda",
                   {range_schema(),
                    [&](const YamlReader& reader) {
                        settings.lambda = read_range(reader, {0.0, 2.0, 1.0});
                    },
                    [&] { return settings.lambda ? write_range(*settings.lambda) : YAML::Node(); }},
                   {.help = "factor of the merged task vector: a number or a range (default 1)"});
    visitor.option("dtype", settings.dtype,
                   {.help = "element type of the written model (default: as stored)",
                    .choices = {"", "float32", "float16", "bfloat16"}});
}

}  // namespace galapagos
