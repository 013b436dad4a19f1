#include "app/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "merge/source_layout.hpp"
#include "weights/architecture.hpp"

namespace galapagos {
namespace {

std::string absolute_path(const std::string& text, const std::filesystem::path& folder) {
    if (text.empty()) return text;
    return std::filesystem::absolute(folder / text).lexically_normal().string();
}

/// Whether a + belongs to a folder's name shows where the folder is.
SourceSpec parse_reference(const std::string& text, const std::filesystem::path& folder) {
    if (text.empty() || text.front() == '+') return parse_source_reference(text);
    return parse_source_reference(std::filesystem::absolute(folder / text).string());
}

ModelEntry read_model(const YamlReader& reader, const std::filesystem::path& folder) {
    ModelEntry entry;
    if (reader.is_scalar()) {
        const auto spec = parse_reference(reader.as_string(), folder);
        entry.model = spec.model.string();
        if (spec.adapter) entry.adapter = spec.adapter->string();
    } else {
        reader.allow_only({"name", "model", "adapter"});
        entry.model = reader.at("model").as_string();
        if (const auto adapter = reader.find("adapter")) entry.adapter = adapter->as_string();
        if (const auto name = reader.find("name")) entry.name = name->as_string();
    }
    entry.model = absolute_path(entry.model, folder);
    entry.adapter = absolute_path(entry.adapter, folder);
    if (entry.name.empty()) {
        const std::filesystem::path path = entry.adapter.empty() ? entry.model : entry.adapter;
        entry.name = (path.has_filename() ? path : path.parent_path()).filename().string();
    }
    return entry;
}

YAML::Node write_model(const ModelEntry& entry) {
    YAML::Node node;
    node["name"] = entry.name;
    node["model"] = entry.model;
    if (!entry.adapter.empty()) node["adapter"] = entry.adapter;
    return node;
}

nlohmann::ordered_json model_schema() {
    return nlohmann::ordered_json::parse(
        R"({"oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": false,
        "required": ["model"],
        "properties": {"name": {"type": "string"}, "model": {"type": "string"}, "adapter": {"type": "string"}}}]})");
}

/// What people take for the config of a search.
void refuse_what_is_no_config(const YamlReader& root) {
    if (root.has("galapagos")) return;
    if (root.has("genome"))
        root.fail("this is a config of mergekit-evolve",
                  "config/README.md says which key becomes which here");
    if (root.has("merge_method"))
        root.fail("this is a merge recipe, not the config of a search",
                  "galapagos merge RECIPE OUT merges it; what evolve takes is described in "
                  "config/README.md");
    root.fail("the key 'galapagos' is missing",
              "a config says `galapagos: 1`, the version of its format; config/README.md describes "
              "it");
}

CustomOption base_option(Config& config, const std::filesystem::path& folder) {
    return {model_schema(),
            [&](const YamlReader& reader) { config.base = read_model(reader, folder); },
            [&] { return config.base ? write_model(*config.base) : YAML::Node(); }};
}

CustomOption sources_option(Config& config, const std::filesystem::path& folder) {
    return {{{"type", "array"}, {"items", model_schema()}, {"minItems", 1}},
            [&](const YamlReader& reader) {
                std::set<std::string> names;
                for (const auto& element : reader.elements()) {
                    config.sources.push_back(read_model(element, folder));
                    if (!names.insert(config.sources.back().name).second)
                        element.fail(
                            fmt::format("two sources are called '{}'", config.sources.back().name),
                            "give one of them another name.");
                }
                if (config.sources.empty()) reader.fail("there is no source to merge");
            },
            [&] {
                YAML::Node list(YAML::NodeType::Sequence);
                for (const auto& source : config.sources) list.push_back(write_model(source));
                return list;
            }};
}

CustomOption tasks_option(Config& config, const std::filesystem::path& folder) {
    return {nlohmann::ordered_json::parse(
                R"({"type": "array", "minItems": 1, "items": {"oneOf": [{"type": "string"},
                {"type": "object", "additionalProperties": false, "required": ["file"],
                 "properties": {"file": {"type": "string"}, "weight": {"type": "number", "exclusiveMinimum": 0}}}]}})"),
            [&](const YamlReader& reader) {
                for (const auto& element : reader.elements()) {
                    TaskEntry entry;
                    if (element.is_scalar()) {
                        entry.file = element.as_string();
                    } else {
                        element.allow_only({"file", "weight"});
                        entry.file = element.at("file").as_string();
                        if (const auto weight = element.find("weight")) {
                            entry.weight = weight->as_double();
                            if (entry.weight <= 0) weight->fail("a weight must be above 0");
                        }
                    }
                    entry.file = absolute_path(entry.file, folder);
                    config.tasks.push_back(std::move(entry));
                }
                if (config.tasks.empty()) reader.fail("there is no task");
            },
            [&] {
                YAML::Node list(YAML::NodeType::Sequence);
                for (const auto& task : config.tasks) {
                    YAML::Node node;
                    node["file"] = task.file;
                    node["weight"] = fmt::format("{}", task.weight);
                    list.push_back(node);
                }
                return list;
            }};
}

void visit_evaluation(OptionVisitor& v, EvaluationSettings& s) {
    v.whole("tensor_parallel", s.tensor_parallel,
            {.help = "ranks that evaluate one candidate together", .minimum = 1, .maximum = 64});
    bool half = s.dtype == DType::bf16;
    std::string dtype = half ? "bf16" : "fp32";
    v.option("dtype", dtype,
             {.help = "number type of candidates and activations", .choices = {"bf16", "fp32"}});
    s.dtype = dtype == "bf16" ? DType::bf16 : DType::f32;
    v.whole("max_batch", s.max_batch, {.help = "rows that are decoded together", .minimum = 1});
    v.whole("batch_tokens", s.batch_tokens,
            {.help = "tokens of one forward pass over prompts", .minimum = 1});
    v.choice(
        "reductions", s.reductions, {"exact", "fast"},
        {.help = "how GPUs add up the shares of tensor-parallel ranks; exact: in rank order, "
                 "with the same bits on every machine; fast: by NCCL, in the order that it finds "
                 "fastest. The CPU's are always exact"});
    v.whole("threads", s.threads,
            {.help = "threads of a rank; 0: the node's cores shared out", .minimum = 0});
    v.choice("device", s.device, {"cpu", "gpu", "auto"},
             {.help = "what candidates are merged and run on; auto: the GPU where every rank has "
                      "one of its own, else the CPU. No GPU has run this yet: try a machine with "
                      "tests/gpu/run.sh first"});
    v.option("share_gpus", s.share_gpus, {.help = "let several ranks use one GPU"});
}

/// Sets "a.b.c" in a tree of maps, and returns that path.
std::string set_path(YAML::Node root, const std::string& setting) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
        throw UsageError(fmt::format("--set {}: refused", setting), "expected key=value",
                         "for example --set budget.generations=5");
    YAML::Node node;
    node.reset(root);
    std::string key = setting.substr(0, equals);
    for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.')) {
        YAML::Node child = node[key.substr(0, dot)];
        if (child.IsDefined() && !child.IsNull() && !child.IsMap())
            throw UsageError(fmt::format("--set {}: refused", setting),
                             fmt::format("'{}' is no section", key.substr(0, dot)));
        node.reset(child);
        key = key.substr(dot + 1);
    }
    try {
        node[key] = YAML::Load(setting.substr(equals + 1));
    } catch (const YAML::Exception& error) {
        throw UsageError(fmt::format("--set {}: not valid YAML", setting), error.msg);
    }
    return setting.substr(0, equals);
}

void check_whole(const Config& config, const std::string& origin) {
    if (config.format != 1)
        throw UsageError(fmt::format("{}: refused", origin),
                         fmt::format("format version {}, this program reads 1", config.format));
    const bool limited = config.budget.evaluations > 0 || config.budget.generations > 0 ||
                         config.budget.wall_time > 0;
    if (!limited)
        throw UsageError(fmt::format("{}: budget: refused", origin), "the run would never end",
                         "set budget.evaluations, budget.generations or budget.wall_time.");
}

int layers_of(const Source& model) {
    return static_cast<int>(
        Architecture::from_config(model.config(), model.folder().folder().string()).layers);
}

}  // namespace

std::string ModelEntry::reference() const {
    return adapter.empty() ? model : model + "+" + adapter;
}

SourceSpec ModelEntry::spec() const {
    SourceSpec spec{reference(), model, std::nullopt};
    if (!adapter.empty()) spec.adapter = adapter;
    return spec;
}

std::vector<ModelEntry> Config::models() const {
    std::vector<ModelEntry> all;
    if (base) all.push_back(*base);
    all.insert(all.end(), sources.begin(), sources.end());
    return all;
}

void visit_options(OptionVisitor& v, Config& c, const std::filesystem::path& folder) {
    v.option("galapagos", c.format, {.help = "format version of this file", .required = true});
    v.option("name", c.name, {.help = "of the run, for people"});
    v.option("seed", c.seed, {.help = "of all randomness", .minimum = 0});
    v.section(
        "models", "what is merged; paths are relative to this file", [&](OptionVisitor& models) {
            models.custom("base", base_option(c, folder),
                          {.help = "the common ancestor: a folder, or {name, model, adapter}"});
            models.custom(
                "sources", sources_option(c, folder),
                {.help = "models to merge: folders, folder+adapter, or {name, model, adapter}",
                 .required = true});
        });
    v.section("merge", "how models are merged",
              [&](OptionVisitor& merge) { visit_options(merge, c.merge); });
    v.section("search", "what is searched, and by which optimiser", [&](OptionVisitor& search) {
        visit_options(search, c.search);
        search.section("optimizer", "the optimiser of every island",
                       [&](OptionVisitor& optimizer) { visit_options(optimizer, c.optimizer); });
    });
    v.custom(
        "tasks", tasks_option(c, folder),
        {.help =
             "task files, or {file, weight}; fitness is the weighted mean of their train scores",
         .required = true});
    v.section("evaluation", "how a candidate is evaluated",
              [&](OptionVisitor& e) { visit_evaluation(e, c.evaluation); });
    v.section("islands", "subpopulations",
              [&](OptionVisitor& i) { visit_options(i, c.islands, c.optimizer); });
    v.section("migration", "exchange of elites between islands",
              [&](OptionVisitor& m) { visit_options(m, c.migration); });
    v.section("budget", "when the run ends", [&](OptionVisitor& b) { visit_options(b, c.budget); });
    v.section("selection", "how the result is chosen",
              [&](OptionVisitor& s) { visit_options(s, c.selection); });
}

Config load_config(const std::filesystem::path& path, const std::vector<std::string>& settings) {
    return load_config_text(read_text(path), path.string(), path.parent_path(), settings);
}

Config load_config_text(const std::string& text, const std::string& origin,
                        const std::filesystem::path& folder,
                        const std::vector<std::string>& settings) {
    const auto reader = YamlReader::from_text(text, origin);
    YAML::Node root = reader.node();
    if (!root.IsMap()) reader.fail("a config file is a map of keys and values");
    refuse_what_is_no_config(reader);
    std::vector<std::string> paths;
    for (const auto& setting : settings) paths.push_back(set_path(root, setting));
    Config config;
    read_options(YamlReader::from_node(root, origin, std::move(paths)),
                 [&](OptionVisitor& v) { visit_options(v, config, folder); });
    check_whole(config, origin);
    return config;
}

std::string resolved_yaml(Config config) {
    const auto node = write_options([&](OptionVisitor& v) { visit_options(v, config, "/"); });
    return YAML::Dump(node) + "\n";
}

std::string config_schema() {
    Config defaults;
    auto schema = nlohmann::ordered_json{
        {"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "galapagos config"}};
    schema.update(schema_of_options([&](OptionVisitor& v) { visit_options(v, defaults, "/"); }));
    return schema.dump(2) + "\n";
}

std::string config_help() {
    Config defaults;
    return describe_options([&](OptionVisitor& v) { visit_options(v, defaults, "/"); });
}

std::shared_ptr<const SearchSpace> make_search_space(
    const Config& config, const std::vector<std::shared_ptr<const Source>>& models) {
    const bool paths = config.search.space == SearchSettings::Space::dfs;
    if (!paths) check_compatible(models);
    SearchModels description;
    if (config.base) description.base = config.base->reference();
    const std::size_t first = config.base ? 1 : 0;
    for (std::size_t i = 0; i < config.sources.size(); ++i)
        description.sources.push_back(
            {config.sources[i].name, config.sources[i].reference(), layers_of(*models[first + i])});
    description.num_layers = layers_of(*models.front());
    description.tensor_names = models.front()->tensor_names();
    auto space = make_search_space(config.search, config.merge, std::move(description));
    if (paths) check_sources(space->forms().front(), models);
    return space;
}

Recipe recipe_of_candidate(const Config& config, const SearchSpace& space, const Genome& genome) {
    Recipe recipe = space.recipe(genome);
    // Layers of a path run as they are: nothing is random.
    if (!recipe.layer_path) recipe.random_seed = static_cast<std::uint64_t>(config.seed);
    return recipe;
}

}  // namespace galapagos
