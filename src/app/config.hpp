// The config file of an evolution: every section, its defaults, and how it is read and written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/options.hpp"
#include "evolve/optimizer_settings.hpp"
#include "genome/search_settings.hpp"
#include "genome/search_space.hpp"
#include "island/model_evaluator.hpp"
#include "island/settings.hpp"
#include "weights/source.hpp"

namespace galapagos {

/// A model of the run. Paths are absolute once loaded.
struct ModelEntry {
    std::string name;
    std::string model;
    std::string adapter;  ///< empty: none

    /// "model" or "model+adapter", as recipes refer to it.
    std::string reference() const;
    SourceSpec spec() const;
};

struct TaskEntry {
    std::string file;
    double weight = 1;
};

struct Config {
    std::int64_t format = 1;
    std::string name = "evolution";
    std::int64_t seed = 1;
    std::optional<ModelEntry> base;
    std::vector<ModelEntry> sources;
    MergeSettings merge;
    SearchSettings search;
    OptimizerSettings optimizer;
    std::vector<TaskEntry> tasks;
    EvaluationSettings evaluation;
    IslandSettings islands;
    MigrationSettings migration;
    BudgetSettings budget;
    SelectionSettings selection;

    /// The base first, then the sources.
    std::vector<ModelEntry> models() const;
};

/// Declares every option of the config file. Relative paths are taken from `folder`.
void visit_options(OptionVisitor& visitor, Config& config, const std::filesystem::path& folder);

/// Reads a config file. `settings` are "key.path=value" pairs of --set, which win over the file.
/// Throws UsageError.
Config load_config(const std::filesystem::path& path, const std::vector<std::string>& settings);
/// The same from text whose relative paths are taken from `folder`.
Config load_config_text(const std::string& text, const std::string& origin,
                        const std::filesystem::path& folder,
                        const std::vector<std::string>& settings);

/// The complete config with all defaults filled in: what run.yaml holds.
std::string resolved_yaml(Config config);

/// The JSON Schema of the config file, as config/galapagos.schema.json holds it.
std::string config_schema();
/// One line an option, for --help.
std::string config_help();

/// The search space of a config over opened models (in the order of Config::models()). Throws for
/// models that can't be searched together.
std::shared_ptr<const SearchSpace> make_search_space(
    const Config& config, const std::vector<std::shared_ptr<const Source>>& models);

/// The recipe of a run's candidate with the seed of the run's random masks: merging it gives the
/// candidate's bits.
Recipe recipe_of_candidate(const Config& config, const SearchSpace& space, const Genome& genome);

}  // namespace galapagos
