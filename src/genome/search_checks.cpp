#include "genome/search_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "genome/method_parameters.hpp"

namespace galapagos {
namespace {

constexpr const char* what = "the search space can't be built";

/// Methods that take their models alike can be listed together, unless a parameter of theirs means
/// something else to each.
void check_company(Method method, const MergeSettings& merge) {
    for (const std::string& name : merge.methods) {
        const Method other = method_named(name);
        if (other == method) continue;
        const bool alike = traits_of(method).most > 1 && traits_of(other).most > 1 &&
                           takes_a_pair(method) == takes_a_pair(other);
        const bool both_have_t = uses(method, "t") && uses(other, "t");
        if (!alike || both_have_t)
            throw UsageError(what,
                             fmt::format("{} and {} share no parameters", name_of(method), name),
                             "list one of them alone in merge.method");
    }
}

/// Checks the models as every space needs them.
std::set<std::string> source_names(const SearchModels& models) {
    std::set<std::string> names;
    for (const auto& source : models.sources) {
        if (!names.insert(source.name).second) {
            throw UsageError(what, "two sources are named '" + source.name + "'");
        }
    }
    if (models.sources.empty() || models.num_layers < 1) {
        throw UsageError(what, "it has no sources or no layers");
    }
    return names;
}

/// Layers run as they are: nothing mixes their weights.
void refuse_merging(const SearchSettings& search, const MergeSettings& merge) {
    MergeSettings plain;
    plain.dtype = merge.dtype;
    const char* key = merge != plain                                     ? "merge"
                      : search.layer_groups != 1                         ? "search.layer_groups"
                      : search.smooth                                    ? "search.smooth"
                      : !search.modules.empty()                          ? "search.modules"
                      : !search.genes.empty() || !search.sources.empty() ? "search.genes"
                                                                         : nullptr;
    if (key != nullptr)
        throw UsageError(
            what, fmt::format("{} is about mixing weights, and search.space: dfs mixes none", key),
            "leave it out; merge.dtype may stay");
}

}  // namespace

void check_path_settings(const SearchSettings& search, const MergeSettings& merge,
                         const SearchModels& models) {
    source_names(models);
    refuse_merging(search, merge);
    const auto longest = static_cast<int>(most_hops);
    if (search.path.max_hops > longest)
        throw UsageError(what, fmt::format("search.path.max_hops is {}, and a path has at most {}",
                                           search.path.max_hops, longest));
    const int start = models.sources.front().num_layers;
    if (search.path.max_hops > 0 && search.path.max_hops < start)
        throw UsageError(what,
                         fmt::format("search.path.max_hops is {}, and the search starts at the {} "
                                     "layers of {}",
                                     search.path.max_hops, start, models.sources.front().name),
                         "allow as many at least, or put a model of fewer layers first");
}

void check_settings(const SearchSettings& search, const SearchModels& models) {
    const std::set<std::string> names = source_names(models);
    if (search.path != PathSettings{}) {
        throw UsageError(what,
                         "search.path is about layer paths, which search.space: ps has none of",
                         "set search.space: dfs, or leave search.path out");
    }
    for (const auto& [source, ranges] : search.sources) {
        if (names.count(source) == 0) {
            throw UsageError(
                what, "search.sources names '" + source + "', which is no source",
                name_hint(source, std::vector<std::string>(names.begin(), names.end())));
        }
    }
    if (search.smooth && (!search.layer_boundaries.empty() || search.layer_groups < 2)) {
        throw UsageError(what,
                         "search.smooth draws lines between two points or more, as many as "
                         "search.layer_groups says",
                         "set search.layer_groups to a number from 2 on");
    }
    const int last =
        search.layer_boundaries.empty() ? search.layer_groups - 1 : search.layer_boundaries.back();
    if (search.layer_groups < 1 || last >= models.num_layers) {
        throw UsageError(what,
                         "search.layer_groups asks for more than the " +
                             std::to_string(models.num_layers) + " layers of the models",
                         "make fewer groups");
    }
}

void check_methods(const MergeSettings& merge, const SearchModels& models) {
    if (merge.methods.empty()) {
        throw UsageError(what, "there is no merge method", "set merge.method");
    }
    for (const std::string& name : merge.methods) {
        const Method method = method_named(name);
        const MethodTraits& traits = traits_of(method);
        check_company(method, merge);
        const bool pair = takes_a_pair(method) && models.sources.size() == 2;
        if (traits.base == BaseUse::required && models.base.empty() && !pair) {
            throw UsageError(what, "its merge method " + name + " needs a base model",
                             "set models.base");
        }
        const bool based = merges_onto_base(method, models);
        const int count = static_cast<int>(models.sources.size()) + (based ? 1 : 0);
        const int fewest = method == Method::nuslerp ? (based ? 3 : 2) : traits.fewest;
        const int most = method == Method::nuslerp ? fewest : traits.most;
        if (count < fewest || count > most) {
            throw UsageError(
                what,
                fmt::format("{} merges {} models, not {}", name,
                            most == 1                   ? "one"
                            : takes_a_pair(method)      ? "two"
                            : method == Method::nuslerp ? "two (beside the base)"
                                                        : fmt::format("at least {}", fewest),
                            count),
                takes_a_pair(method) ? "give two sources, or a base and one source"
                                     : "change models.sources");
        }
    }
}

std::vector<std::string> unused_ranges(const SearchSettings& search, const MergeSettings& merge) {
    std::vector<std::string> unused;
    const auto look = [&](const std::string& section, const GeneRanges& ranges) {
        for (const auto& entry : ranges)
            if (std::none_of(merge.methods.begin(), merge.methods.end(), [&](const auto& name) {
                    return uses(method_named(name), entry.first);
                }))
                unused.push_back(section + "." + entry.first);
    };
    look("search.genes", search.genes);
    for (const auto& [source, ranges] : search.sources) look("search.sources." + source, ranges);
    return unused;
}

bool merges_onto_base(Method method, const SearchModels& models) {
    if (takes_a_pair(method) && models.sources.size() == 2) return false;
    const BaseUse use = traits_of(method).base;
    return use == BaseUse::required || (use == BaseUse::optional && !models.base.empty());
}

}  // namespace galapagos
