#include "genome/parameter_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "genome/method_parameters.hpp"
#include "genome/search_checks.hpp"
#include "genome/tensor_kinds.hpp"

namespace galapagos {

namespace {

constexpr const char* what = "the search space can't be built";

std::vector<std::string> flag_names(const std::vector<bool>& flags) {
    std::vector<std::string> names;
    for (const bool flag : flags) {
        names.emplace_back(flag ? "true" : "false");
    }
    return names;
}

}  // namespace

const std::string& ParameterSpace::Choice::in(const Genome& genome) const {
    return names.at(gene < 0 ? 0 : static_cast<size_t>(genome[static_cast<size_t>(gene)]));
}

ParameterSpace::ParameterSpace(const SearchSettings& search, const MergeSettings& merge,
                               SearchModels models)
    : merge_(merge), models_(std::move(models)) {
    check_settings(search, models_);
    check_methods(merge_, models_);
    points_ = search.smooth ? search.layer_groups : 1;
    boundaries_ = equal_groups(models_.num_layers, search.smooth ? 1 : search.layer_groups);
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
        for (const char* parameter : gene_parameters) {
            make_cells(search, parameter, source);
        }
    }
    check_genes(genes_);
}

void ParameterSpace::find_kinds(const SearchSettings& search) {
    searched_ = search.modules.empty() ? std::vector{ModuleKind::rest} : search.modules;
    std::sort(searched_.begin(), searched_.end());
    std::vector<std::set<ModuleKind>> found(boundaries_.size() - 1);
    std::set<ModuleKind> anywhere;
    for (const std::string& tensor : models_.tensor_names) {
        const ModuleKind kind = kind_of(tensor, searched_);
        found[static_cast<size_t>(group_of(tensor, boundaries_))].insert(kind);
        anywhere.insert(kind);
        if (layer_of(tensor)) layer_kinds_.insert(kind);
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

ParameterSpace::Choice ParameterSpace::make_choice(const std::string& name,
                                                   const std::vector<std::string>& names) {
    Choice choice{names, -1};
    if (names.size() > 1) {
        choice.gene = static_cast<int>(genes_.size());
        const bool flags = names == std::vector<std::string>{"false", "true"};
        genes_.push_back(flags ? Gene::binary(name) : Gene::categorical(name, names));
    }
    return choice;
}

ParameterSpace::Value ParameterSpace::make_value(const GeneRange& range, bool searched,
                                                 const std::string& name) {
    if (range.fixed || !searched) {
        return {range.initial, -1};
    }
    genes_.push_back(Gene::real(name, range.lower, range.upper, range.initial));
    return {range.initial, static_cast<int>(genes_.size()) - 1};
}

GeneRange ParameterSpace::range_of(const SearchSettings& search, const Cell& cell) const {
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

void ParameterSpace::make_cells(const SearchSettings& search, const std::string& parameter,
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

void ParameterSpace::make_cells(const SearchSettings& search, Cell cell) {
    const GeneRange range = range_of(search, cell);
    for (size_t group = 0; group < kinds_.size(); ++group) {
        cell.group = static_cast<int>(group);
        cell.values.clear();
        for (const ModuleKind kind : kinds_[group]) {
            const bool searched =
                std::find(searched_.begin(), searched_.end(), kind) != searched_.end();
            std::vector<Value> values;
            const int points = searched && !range.fixed ? points_of(kind) : 1;
            for (int point = 0; point < points; ++point) {
                values.push_back(make_value(range, searched, gene_name(cell, kind, point)));
            }
            cell.values.emplace_back(kind, std::move(values));
        }
        cells_.push_back(cell);
    }
}

int ParameterSpace::points_of(ModuleKind kind) const {
    return layer_kinds_.count(kind) > 0 ? points_ : 1;
}

std::string ParameterSpace::gene_name(const Cell& cell, ModuleKind kind, int point) const {
    const bool named = !cell.shared || cell.parameter == "t";
    std::string name =
        named ? models_.sources[cell.source].name + "." + cell.parameter : cell.parameter;
    const bool in_layers = kind != ModuleKind::embeddings && kind != ModuleKind::head;
    if (!single_slice() && in_layers) {
        const auto group = static_cast<size_t>(cell.group);
        name += fmt::format(".{}-{}", boundaries_[group], boundaries_[group + 1] - 1);
    }
    if (points_of(kind) > 1) {
        const double share = static_cast<double>(point) / (points_ - 1);
        name += fmt::format(".{}", std::lround(share * (models_.num_layers - 1)));
    }
    const bool only_kind = searched_ == std::vector{ModuleKind::rest};
    return only_kind ? name : name + "." + name_of(kind);
}

// Between two points min(density, 1 - density) is no less than the line between theirs.
double ParameterSpace::epsilon_limit(const Cell& epsilon, size_t kind, size_t point,
                                     const Genome& genome) const {
    constexpr double almost = 0.999;
    for (const Cell& cell : cells_) {
        if (cell.parameter != "density" || cell.source != epsilon.source ||
            cell.group != epsilon.group) {
            continue;
        }
        const std::vector<Value>& densities = cell.values[kind].second;
        const bool paired = densities.size() == epsilon.values[kind].second.size();
        double limit = 1;
        for (size_t i = 0; i < densities.size(); ++i) {
            const double density = densities[i].in(genome);
            const bool random = density > 0 && density < 1;  // else epsilon has no effect
            if ((i == point || !paired) && (random || densities.size() > 1))
                limit = std::min(limit, almost * std::min(density, 1 - density));
        }
        return limit;
    }
    return 1;
}

ParameterSetting ParameterSpace::setting(const Cell& cell, const Genome& genome) const {
    std::vector<ParameterCase> cases;
    for (size_t i = 0; i < cell.values.size(); ++i) {
        const auto& [kind, values] = cell.values[i];
        std::vector<ParameterScalar> numbers;
        for (size_t point = 0; point < values.size(); ++point) {
            double number = values[point].in(genome);
            if (cell.parameter == "epsilon" && !cell.shared) {
                number = std::min(number, epsilon_limit(cell, i, point, genome));
            }
            numbers.emplace_back(number);
        }
        for (const std::string& filter : filters_of(kind, models_.tensor_names)) {
            cases.push_back({filter, numbers});
        }
    }
    const bool same = std::all_of(cases.begin(), cases.end(), [&](const ParameterCase& entry) {
        return entry.values == cases.front().values;
    });
    if (same && cases.front().values.size() == 1) {
        return ParameterSetting(std::get<double>(cases.front().values.front()));
    }
    if (same) {
        cases = {{"", cases.front().values}};
    }
    return ParameterSetting(std::move(cases));
}

RecipeSlice ParameterSpace::slice(int group, Method method, const Genome& genome) const {
    RecipeSlice slice;
    const auto first = static_cast<size_t>(group);
    const Range layers{boundaries_[first], boundaries_[first + 1]};
    const bool with_base = merges_onto_base(method, models_);
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

void ParameterSpace::set_recipe_parameters(Recipe& recipe, const Genome& genome) const {
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

Recipe ParameterSpace::recipe(const Genome& genome) const {
    check_genome(genes_, genome);
    Recipe recipe;
    recipe.method = method_named(method_.in(genome));
    if (merges_onto_base(recipe.method, models_)) {
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

std::vector<Recipe> ParameterSpace::forms() const {
    Genome genome = initial_genome(genes_);
    std::vector<Recipe> recipes;
    for (size_t method = 0; method < method_.names.size(); ++method) {
        if (method_.gene >= 0)
            genome[static_cast<size_t>(method_.gene)] = static_cast<double>(method);
        recipes.push_back(recipe(genome));
    }
    return recipes;
}

}  // namespace galapagos
