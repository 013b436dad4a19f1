#include "genome/search_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "genome/tensor_kinds.hpp"

namespace galapagos {

namespace {

constexpr const char* what = "the search space can't be built";

Method method_named(const std::string& name) {
    const auto method = parse_method(name);
    if (!method) {
        throw UsageError(what, "there is no merge method '" + name + "'",
                         name_hint(name, method_names()));
    }
    return *method;
}

/// Parameters that can be genes.
constexpr const char* parameters[] = {"weight", "density",     "t", "gamma", "epsilon",
                                      "scale",  "select_topk", "r", "alpha"};

bool is_ram(Method method) { return method == Method::ram || method == Method::ramplus_tl; }

bool uses(Method method, const std::string& parameter) {
    const Thinning thinning = traits_of(method).thinning;
    if (parameter == "weight") return traits_of(method).weighted;
    if (parameter == "density") return thinning != Thinning::none;
    if (parameter == "gamma") return thinning == Thinning::middle;
    if (parameter == "epsilon") return thinning == Thinning::by_rank || is_ram(method);
    if (parameter == "t") return method == Method::slerp || method == Method::nearswap;
    if (parameter == "scale") return method == Method::passthrough;
    if (parameter == "select_topk") return method == Method::sce;
    return method == Method::ramplus_tl;
}

/// Whether a parameter belongs to the method as a whole instead of to each source.
bool is_shared(Method method, const std::string& parameter) {
    if (parameter == "epsilon") return is_ram(method);
    return parameter == "t" || parameter == "select_topk" || parameter == "r" ||
           parameter == "alpha";
}

/// Methods of a base and one other model.
bool takes_a_pair(Method method) { return traits_of(method).most == 2; }

/// `t` and the epsilon of ram are sizes of weights or changes for these methods, not shares.
GeneRange default_range_of(Method method, const std::string& parameter) {
    if (parameter == "t" && method == Method::nearswap) return {0.0, 0.01, 0.001};
    if (parameter == "epsilon" && is_ram(method)) return {0.0, 1e-3, 1e-5};
    return default_range(parameter);
}

std::vector<std::string> flag_names(const std::vector<bool>& flags) {
    std::vector<std::string> names;
    for (const bool flag : flags) {
        names.emplace_back(flag ? "true" : "false");
    }
    return names;
}

}  // namespace

const std::string& SearchSpace::Choice::in(const Genome& genome) const {
    return names.at(gene < 0 ? 0 : static_cast<size_t>(genome[static_cast<size_t>(gene)]));
}

SearchSpace::SearchSpace(const SearchSettings& search, const MergeSettings& merge,
                         SearchModels models)
    : merge_(merge), models_(std::move(models)) {
    check_settings(search);
    check_method_choice();
    boundaries_ = equal_groups(models_.num_layers, search.layer_groups);
    if (!search.layer_boundaries.empty()) {
        boundaries_ = search.layer_boundaries;
        boundaries_.insert(boundaries_.begin(), 0);
        boundaries_.push_back(models_.num_layers);
    }
    find_kinds(search);

    method_ = make_choice("method", merge_.methods);
    normalize_ = make_choice("normalize", flag_names(merge_.normalize));
    rescale_ = make_choice("rescale", merge_.rescale);
    if (merge_.lambda) {
        lambda_ = make_value(*merge_.lambda, true, "lambda");
    }
    for (size_t source = 0; source < models_.sources.size(); ++source) {
        for (const char* parameter : parameters) {
            make_cells(search, parameter, source);
        }
    }
    check_genes(genes_);
}

void SearchSpace::check_settings(const SearchSettings& search) const {
    std::set<std::string> names;
    for (const auto& source : models_.sources) {
        if (!names.insert(source.name).second) {
            throw UsageError(what, "two sources are named '" + source.name + "'");
        }
    }
    if (models_.sources.empty() || models_.num_layers < 1) {
        throw UsageError(what, "it has no sources or no layers");
    }
    for (const auto& [source, ranges] : search.sources) {
        if (names.count(source) == 0) {
            throw UsageError(
                what, "search.sources names '" + source + "', which is no source",
                name_hint(source, std::vector<std::string>(names.begin(), names.end())));
        }
    }
    const int last =
        search.layer_boundaries.empty() ? search.layer_groups - 1 : search.layer_boundaries.back();
    if (search.layer_groups < 1 || last >= models_.num_layers) {
        throw UsageError(what,
                         "search.layer_groups asks for more than the " +
                             std::to_string(models_.num_layers) + " layers of the models",
                         "make fewer groups");
    }
}

void SearchSpace::check_method_choice() const {
    if (merge_.methods.empty()) {
        throw UsageError(what, "there is no merge method", "set merge.method");
    }
    for (const std::string& name : merge_.methods) {
        const Method method = method_named(name);
        const MethodTraits& traits = traits_of(method);
        if ((takes_a_pair(method) || traits.most == 1) && merge_.methods.size() > 1) {
            throw UsageError(what, name + " shares no parameters with other methods",
                             "list it alone in merge.method");
        }
        const bool pair = takes_a_pair(method) && models_.sources.size() == 2;
        if (traits.base == BaseUse::required && models_.base.empty() && !pair) {
            throw UsageError(what, "its merge method " + name + " needs a base model",
                             "set models.base");
        }
        const bool based = has_base(method);
        const int models = static_cast<int>(models_.sources.size()) + (based ? 1 : 0);
        const int fewest = method == Method::nuslerp ? (based ? 3 : 2) : traits.fewest;
        const int most = method == Method::nuslerp ? fewest : traits.most;
        if (models < fewest || models > most) {
            throw UsageError(
                what,
                fmt::format("{} merges {} models, not {}", name,
                            most == 1                   ? "one"
                            : takes_a_pair(method)      ? "two"
                            : method == Method::nuslerp ? "two (beside the base)"
                                                        : fmt::format("at least {}", fewest),
                            models),
                takes_a_pair(method) ? "give two sources, or a base and one source"
                                     : "change models.sources");
        }
    }
}

bool SearchSpace::has_base(Method method) const {
    if (takes_a_pair(method) && models_.sources.size() == 2) return false;
    const BaseUse use = traits_of(method).base;
    return use == BaseUse::required || (use == BaseUse::optional && !models_.base.empty());
}

void SearchSpace::find_kinds(const SearchSettings& search) {
    searched_ = search.modules.empty() ? std::vector{ModuleKind::rest} : search.modules;
    std::sort(searched_.begin(), searched_.end());
    std::vector<std::set<ModuleKind>> found(boundaries_.size() - 1);
    std::set<ModuleKind> anywhere;
    for (const std::string& tensor : models_.tensor_names) {
        const ModuleKind kind = kind_of(tensor, searched_);
        found[static_cast<size_t>(group_of(tensor, boundaries_))].insert(kind);
        anywhere.insert(kind);
    }
    for (const auto& kinds : found) {
        kinds_.emplace_back(kinds.begin(), kinds.end());
    }
    for (const ModuleKind kind : searched_) {
        if (anywhere.count(kind) == 0) {
            const bool head = kind == ModuleKind::head;
            throw UsageError(
                what,
                std::string("search.modules lists ") + name_of(kind) +
                    ", but the models have no such tensor",
                head ? "leave it out: the head is tied to the embeddings" : "leave it out");
        }
    }
}

SearchSpace::Choice SearchSpace::make_choice(const std::string& name,
                                             const std::vector<std::string>& names) {
    Choice choice{names, -1};
    if (names.size() > 1) {
        choice.gene = static_cast<int>(genes_.size());
        const bool flags = names == std::vector<std::string>{"false", "true"};
        genes_.push_back(flags ? Gene::binary(name) : Gene::categorical(name, names));
    }
    return choice;
}

SearchSpace::Value SearchSpace::make_value(const GeneRange& range, bool searched,
                                           const std::string& name) {
    if (range.fixed || !searched) {
        return {range.initial, -1};
    }
    genes_.push_back(Gene::real(name, range.lower, range.upper, range.initial));
    return {range.initial, static_cast<int>(genes_.size()) - 1};
}

GeneRange SearchSpace::range_of(const SearchSettings& search, const Cell& cell) const {
    const std::string& source = models_.sources[cell.source].name;
    if (const auto own = search.sources.find(source); own != search.sources.end()) {
        if (const auto range = own->second.find(cell.parameter); range != own->second.end()) {
            return range->second;
        }
    }
    if (const auto range = search.genes.find(cell.parameter); range != search.genes.end()) {
        return range->second;
    }
    for (const std::string& name : merge_.methods) {
        if (uses(method_named(name), cell.parameter)) {
            return default_range_of(method_named(name), cell.parameter);
        }
    }
    return default_range(cell.parameter);
}

void SearchSpace::make_cells(const SearchSettings& search, const std::string& parameter,
                             size_t source) {
    bool shared = false;
    bool single = false;
    for (const std::string& name : merge_.methods) {
        const Method method = method_named(name);
        if (uses(method, parameter)) (is_shared(method, parameter) ? shared : single) = true;
    }
    if (shared && single) {
        throw UsageError(what, parameter + " means different things to its merge methods",
                         "list fewer methods in merge.method");
    }
    // Genes of the whole method stand after those of the last source.
    if (single || (shared && source + 1 == models_.sources.size())) {
        make_cells(search, {parameter, source, shared, 0, {}});
    }
}

void SearchSpace::make_cells(const SearchSettings& search, Cell cell) {
    const GeneRange range = range_of(search, cell);
    for (size_t group = 0; group < kinds_.size(); ++group) {
        cell.group = static_cast<int>(group);
        cell.values.clear();
        for (const ModuleKind kind : kinds_[group]) {
            const bool searched =
                std::find(searched_.begin(), searched_.end(), kind) != searched_.end();
            cell.values.emplace_back(kind, make_value(range, searched, gene_name(cell, kind)));
        }
        cells_.push_back(cell);
    }
}

std::string SearchSpace::gene_name(const Cell& cell, ModuleKind kind) const {
    const bool named = !cell.shared || cell.parameter == "t";
    std::string name =
        named ? models_.sources[cell.source].name + "." + cell.parameter : cell.parameter;
    const bool in_layers = kind != ModuleKind::embeddings && kind != ModuleKind::head;
    if (!single_slice() && in_layers) {
        const auto group = static_cast<size_t>(cell.group);
        name += fmt::format(".{}-{}", boundaries_[group], boundaries_[group + 1] - 1);
    }
    const bool only_kind = searched_ == std::vector{ModuleKind::rest};
    return only_kind ? name : name + "." + name_of(kind);
}

double SearchSpace::epsilon_limit(const Cell& epsilon, size_t kind, const Genome& genome) const {
    constexpr double almost = 0.999;
    for (const Cell& cell : cells_) {
        if (cell.parameter != "density" || cell.source != epsilon.source ||
            cell.group != epsilon.group) {
            continue;
        }
        const double density = cell.values[kind].second.in(genome);
        return density > 0 && density < 1 ? almost * std::min(density, 1 - density) : 1;
    }
    return 1;
}

ParameterSetting SearchSpace::setting(const Cell& cell, const Genome& genome) const {
    std::vector<ParameterCase> cases;
    for (size_t i = 0; i < cell.values.size(); ++i) {
        const auto& [kind, value] = cell.values[i];
        double number = value.in(genome);
        if (cell.parameter == "epsilon" && !cell.shared) {
            number = std::min(number, epsilon_limit(cell, i, genome));
        }
        for (const std::string& filter : filters_of(kind, models_.tensor_names)) {
            cases.push_back({filter, {number}});
        }
    }
    const bool same = std::all_of(cases.begin(), cases.end(), [&](const ParameterCase& entry) {
        return entry.values == cases.front().values;
    });
    if (same) {
        return ParameterSetting(std::get<double>(cases.front().values.front()));
    }
    return ParameterSetting(std::move(cases));
}

RecipeSlice SearchSpace::slice(int group, Method method, const Genome& genome) const {
    RecipeSlice slice;
    const auto first = static_cast<size_t>(group);
    const Range layers{boundaries_[first], boundaries_[first + 1]};
    const bool with_base = has_base(method);
    if (with_base) {
        slice.sources.push_back({models_.base, layers, {}});
    }
    for (const auto& source : models_.sources) {
        slice.sources.push_back({source.reference, layers, {}});
    }
    for (const Cell& cell : cells_) {
        if (cell.group != group || cell.values.empty() || !uses(method, cell.parameter)) {
            continue;
        }
        Parameters& own = cell.shared ? slice.parameters
                                      : slice.sources[cell.source + (with_base ? 1 : 0)].parameters;
        own[cell.parameter] = setting(cell, genome);
    }
    return slice;
}

void SearchSpace::set_recipe_parameters(Recipe& recipe, const Genome& genome) const {
    if (!normalize_.names.empty() && traits_of(recipe.method).weighted &&
        recipe.method != Method::nuslerp) {
        const char* name = recipe.method == Method::multislerp ? "normalize_weights" : "normalize";
        recipe.parameters[name] = normalize_.in(genome) == "true";
    }
    if (is_sparse(recipe.method) && !rescale_.names.empty()) {
        const std::string& rule = rescale_.in(genome);
        recipe.parameters["rescale"] = rule == "true" || rule == "false"
                                           ? ParameterSetting(rule == "true")
                                           : ParameterSetting(rule.c_str());
    }
    if (uses_task_vectors(recipe.method) && merge_.lambda) {
        recipe.parameters["lambda"] = lambda_.in(genome);
    }
}

Recipe SearchSpace::recipe(const Genome& genome) const {
    check_genome(genes_, genome);
    Recipe recipe;
    recipe.method = method_named(method_.in(genome));
    if (has_base(recipe.method)) {
        recipe.base_model = models_.base;
    } else if (takes_a_pair(recipe.method)) {
        recipe.base_model = models_.sources.front().reference;
    }
    set_recipe_parameters(recipe, genome);
    if (!merge_.dtype.empty()) {
        recipe.out_dtype = parse_dtype(merge_.dtype);
    }
    for (int group = 0; group + 1 < static_cast<int>(boundaries_.size()); ++group) {
        recipe.slices.push_back(slice(group, recipe.method, genome));
    }
    if (single_slice()) {
        RecipeSlice only = std::move(recipe.slices.front());
        recipe.slices.clear();
        recipe.parameters.merge(only.parameters);
        for (RecipeInput& input : only.sources) {
            input.layer_range.reset();
        }
        recipe.models = std::move(only.sources);
    }
    return recipe;
}

}  // namespace galapagos
