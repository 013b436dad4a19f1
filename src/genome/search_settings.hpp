#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/options.hpp"
#include "weights/layer_route.hpp"

namespace galapagos {

/// The kinds of modules that can have genes of their own, in the order in which a tensor is tried
/// for them. `rest` stands for all tensors that are of no listed kind.
enum class ModuleKind { attention, mlp, embeddings, head, norms, rest };
const char* name_of(ModuleKind kind);

/// A number that is fixed, or searched between two bounds.
struct GeneRange {
    double lower = 0.0;
    double upper = 1.0;
    double initial = 0.5;  ///< the value itself when fixed
    bool fixed = false;

    static GeneRange fixed_at(double value) { return {value, value, value, true}; }
    friend bool operator==(const GeneRange&, const GeneRange&) = default;
};

using GeneRanges = std::map<std::string, GeneRange>;

/// Section `search.path`: the data-flow space (genome/path_space.hpp).
struct PathSettings {
    enum class Indicators { binary, real };
    enum class Scales { steps, pairs };
    int repeats = 3;  ///< how many times all layers are offered, as in the paper
    int block = 1;    ///< layers of a source that are taken or left out together
    Indicators indicators = Indicators::binary;
    Scales scales = Scales::steps;
    GeneRange scale{0.5, 1.5, 1.0};
    ScaleRule scale_rule = ScaleRule::branch;
    int max_hops = 0;  ///< 0: twice the layers of the first source

    friend bool operator==(const PathSettings&, const PathSettings&) = default;
};

/// Section `search` of the config, less `optimizer` (evolve/optimizer_settings.hpp).
struct SearchSettings {
    enum class Space { ps, dfs };
    Space space = Space::ps;
    int layer_groups = 1;               ///< groups of (nearly) equal size
    std::vector<int> layer_boundaries;  ///< or the first layers of all groups but the first
    bool smooth = false;                ///< layer_groups points, and lines between them
    std::vector<ModuleKind> modules;    ///< empty: one gene for all kinds
    /// Parameter ("weight", "density", "t" ...) to its range, for every source ...
    GeneRanges genes;
    /// ... and what is different for single sources, by source name.
    std::map<std::string, GeneRanges> sources;
    PathSettings path;
};

/// Section `merge` of the config.
struct MergeSettings {
    std::vector<std::string> methods = {"task_arithmetic"};  ///< several: the method is a gene
    std::vector<bool> normalize;       ///< empty: the method's default; two values: a gene
    std::vector<std::string> rescale;  ///< "true", "false", "l1", "inverse_p"; several: a gene
    std::optional<GeneRange> lambda;   ///< empty: 1
    std::string dtype;                 ///< of the merged model's files; empty: as stored

    friend bool operator==(const MergeSettings&, const MergeSettings&) = default;
};

/// Keys: space, layer_groups, smooth, modules, genes, sources, path. A range is a number,
/// `{fixed: 0.5}` or `{lower: 0, upper: 1.5, initial: 0.7}`, where `initial` may be left out for
/// the middle.
void visit_options(OptionVisitor& visitor, SearchSettings& settings);

/// Keys: method, normalize, rescale, lambda, dtype.
void visit_options(OptionVisitor& visitor, MergeSettings& settings);

/// The range of a parameter that the config doesn't mention.
GeneRange default_range(const std::string& parameter);

}  // namespace galapagos
