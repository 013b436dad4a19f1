#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace galapagos {

/// The kinds of modules that can have genes of their own. `rest` stands for all kinds not listed.
enum class ModuleKind { attention, mlp, embeddings, norms, head, rest };
const char* name_of(ModuleKind kind);

/// A number that is fixed, or searched between two bounds.
struct GeneRange {
    double lower = 0.0;
    double upper = 1.0;
    double initial = 0.5;  ///< the value itself when fixed
    bool fixed = false;

    static GeneRange fixed_at(double value) { return {value, value, value, true}; }
};

/// Section `search` of the config, less `optimizer` (evolve/optimizer_settings.hpp).
struct SearchSettings {
    std::string space = "ps";
    int layer_groups = 1;               ///< groups of (nearly) equal size
    std::vector<int> layer_boundaries;  ///< or the first layers of the groups after the first
    std::vector<ModuleKind> modules;    ///< empty: one gene for all kinds
    /// Parameter ("weight", "density", "t", ...) to its range, for every source ...
    std::map<std::string, GeneRange> genes;
    /// ... and what is different for single sources.
    std::map<std::string, std::map<std::string, GeneRange>> sources;
};

/// Section `merge` of the config.
struct MergeSettings {
    std::vector<std::string> methods;  ///< several: the method is a gene
    std::vector<bool> normalize;       ///< empty: the method's default; two values: a gene
    std::vector<std::string> rescale;  ///< "true", "false", "l1", "inverse_p"; several: a gene
    std::optional<GeneRange> lambda;
    std::string dtype;      ///< empty: as stored
    std::string out_dtype;  ///< empty: as dtype
};

}  // namespace galapagos
