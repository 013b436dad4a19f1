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

GeneRange range_of(const SearchSettings& search, const std::string& source,
                   const std::string& parameter) {
    if (const auto own = search.sources.find(source); own != search.sources.end()) {
        if (const auto range = own->second.find(parameter); range != own->second.end()) {
            return range->second;
        }
    }
    const auto range = search.genes.find(parameter);
    return range == search.genes.end() ? default_range(parameter) : range->second;
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
        for (const char* parameter : {"weight", "density", "t"}) {
            if (uses(parameter)) {
                make_cells(search, parameter, source);
            }
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
    bool slerp = false;
    bool needs_base = false;
    for (const std::string& name : merge_.methods) {
        slerp = slerp || method_named(name) == Method::slerp;
        needs_base = needs_base || uses_task_vectors(method_named(name));
    }
    if (merge_.methods.empty() || (slerp && merge_.methods.size() > 1)) {
        throw UsageError(what, "slerp shares no parameters with other methods",
                         "list it alone in merge.method");
    }
    const size_t models = models_.sources.size();
    if (slerp && models != 2 && (models != 1 || models_.base.empty())) {
        throw UsageError(what, "slerp merges two models, not " + std::to_string(models),
                         "give two sources, or a base and one source");
    }
    if (needs_base && models_.base.empty()) {
        throw UsageError(what, "its merge method adds task vectors to a base model",
                         "set models.base");
    }
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

bool SearchSpace::uses(const std::string& parameter) const {
    return std::any_of(merge_.methods.begin(), merge_.methods.end(), [&](const std::string& name) {
        const Method method = method_named(name);
        const bool slerp = method == Method::slerp;
        return parameter == "density" ? is_sparse(method) : slerp == (parameter == "t");
    });
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

void SearchSpace::make_cells(const SearchSettings& search, const std::string& parameter,
                             size_t source) {
    // The first of two sources of slerp stands at t = 0 and has nothing to search.
    if (parameter == "t" && source + 1 != models_.sources.size()) {
        return;
    }
    const GeneRange range = range_of(search, models_.sources[source].name, parameter);
    for (size_t group = 0; group < kinds_.size(); ++group) {
        Cell cell{parameter, source, static_cast<int>(group), {}};
        for (const ModuleKind kind : kinds_[group]) {
            const bool searched =
                std::find(searched_.begin(), searched_.end(), kind) != searched_.end();
            cell.values.emplace_back(kind, make_value(range, searched, gene_name(cell, kind)));
        }
        cells_.push_back(std::move(cell));
    }
}

std::string SearchSpace::gene_name(const Cell& cell, ModuleKind kind) const {
    std::string name = models_.sources[cell.source].name + "." + cell.parameter;
    const bool in_layers = kind != ModuleKind::embeddings && kind != ModuleKind::head;
    if (!single_slice() && in_layers) {
        const auto group = static_cast<size_t>(cell.group);
        name += fmt::format(".{}-{}", boundaries_[group], boundaries_[group + 1] - 1);
    }
    const bool only_kind = searched_ == std::vector{ModuleKind::rest};
    return only_kind ? name : name + "." + name_of(kind);
}

ParameterSetting SearchSpace::setting(const Cell& cell, const Genome& genome) const {
    std::vector<ParameterCase> cases;
    for (const auto& [kind, value] : cell.values) {
        cases.push_back({filter_of(kind), {value.in(genome)}});
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
    const bool with_base =
        uses_task_vectors(method) || (method == Method::slerp && models_.sources.size() == 1);
    if (with_base) {
        slice.sources.push_back({models_.base, layers, {}});
    }
    for (const auto& source : models_.sources) {
        slice.sources.push_back({source.reference, layers, {}});
    }
    for (const Cell& cell : cells_) {
        const bool used = cell.parameter != "density" || is_sparse(method);
        if (cell.group != group || cell.values.empty() || !used) {
            continue;
        }
        Parameters& parameters = cell.parameter == "t"
                                     ? slice.parameters
                                     : slice.sources[cell.source + (with_base ? 1 : 0)].parameters;
        parameters[cell.parameter] = setting(cell, genome);
    }
    return slice;
}

void SearchSpace::set_recipe_parameters(Recipe& recipe, const Genome& genome) const {
    if (recipe.method != Method::slerp && !normalize_.names.empty()) {
        recipe.parameters["normalize"] = normalize_.in(genome) == "true";
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
    if (uses_task_vectors(recipe.method)) {
        recipe.base_model = models_.base;
    } else if (recipe.method == Method::slerp) {
        recipe.base_model =
            models_.sources.size() == 1 ? models_.base : models_.sources.front().reference;
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
