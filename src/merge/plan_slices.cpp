#include "merge/plan_slices.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {

namespace {

int find_source(const SourceIndex& index, const std::string& reference) {
    const auto found = index.find(reference);
    if (found != index.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& entry : index) names.push_back(entry.first);
    throw UsageError("recipe refused", "there is no source '" + reference + "'",
                     name_hint(reference, names));
}

void check_layer_range(const RecipeInput& input, std::int64_t layers) {
    if (input.layer_range->end > layers)
        throw UsageError("recipe refused",
                         "layer range [" + std::to_string(input.layer_range->begin) + ", " +
                             std::to_string(input.layer_range->end) + ") of '" + input.model +
                             "', which has " + std::to_string(layers) + " layers");
}

void check_number_of_models(const MethodTraits& method, const ResolvedSlice& slice) {
    const auto count = static_cast<int>(slice.inputs.size());
    int fewest = method.fewest, most = method.most;
    if (method.method == Method::nuslerp) fewest = most = slice.base < 0 ? 2 : 3;
    if (count >= fewest && count <= most) return;
    std::string wanted = "at least " + std::to_string(fewest) + " models";
    if (most == 1) wanted = "one model";
    if (most == 2) wanted = "a base and one other model";
    if (method.method == Method::nuslerp) wanted = "two models beside the base";
    throw UsageError("recipe refused", std::string(method.name) + " takes " + wanted + ", not " +
                                           std::to_string(count) + " models");
}

void check_inputs(const MethodTraits& method, const ResolvedSlice& slice) {
    for (const RecipeInput& input : slice.inputs)
        if (input.layer_range->size() != slice.layers())
            throw UsageError("recipe refused",
                             "'" + input.model + "' and '" + slice.inputs.front().model +
                                 "' have unequal numbers of layers",
                             "give layer ranges of equal length");
    if (method.base == BaseUse::required && slice.base < 0)
        throw UsageError(
            "recipe refused",
            std::string(method.name) + " needs a base model among the models that it merges",
            "set base_model (and list it in every slice)");
    check_number_of_models(method, slice);
}

ResolvedSlice resolve(std::vector<RecipeInput> inputs, const std::optional<std::string>& base,
                      const MethodTraits& method, const SourceIndex& index,
                      SourceLayouts& layouts) {
    ResolvedSlice slice;
    slice.inputs = std::move(inputs);
    const int base_source = base ? find_source(index, *base) : -1;
    for (RecipeInput& input : slice.inputs) {
        const int source = find_source(index, input.model);
        const std::int64_t layers = layouts.of(source).layer_count();
        if (!input.layer_range) input.layer_range = Range{0, layers};
        check_layer_range(input, layers);
        if (std::find(slice.sources.begin(), slice.sources.end(), source) != slice.sources.end())
            throw UsageError("recipe refused", "'" + input.model + "' occurs twice",
                             "a slice takes each model once");
        if (source == base_source) slice.base = static_cast<int>(slice.sources.size());
        slice.sources.push_back(source);
    }
    if (base && slice.base < 0 && method.base == BaseUse::optional)
        throw UsageError("recipe refused", "a slice doesn't list the base model '" + *base + "'",
                         "list it in every slice, or leave out base_model");
    check_inputs(method, slice);
    return slice;
}

/// The recipe's models, with the base among them.
std::vector<RecipeInput> models_and_base(const Recipe& recipe, const SourceIndex& index) {
    std::vector<RecipeInput> inputs = recipe.models;
    if (!recipe.base_model) return inputs;
    const int base = find_source(index, *recipe.base_model);
    if (std::none_of(inputs.begin(), inputs.end(), [&](const RecipeInput& input) {
            return find_source(index, input.model) == base;
        }))
        inputs.push_back({*recipe.base_model, std::nullopt, {}});
    return inputs;
}

}  // namespace

const SourceLayout& SourceLayouts::of(int source) {
    const auto i = static_cast<std::size_t>(source);
    if (!layouts_[i]) layouts_[i] = lay_out(*sources_[i]);
    return *layouts_[i];
}

std::vector<ResolvedSlice> resolve_slices(const Recipe& recipe, const SourceIndex& index,
                                          SourceLayouts& layouts) {
    const MethodTraits& method = traits_of(recipe.method);
    if (!recipe.models.empty())
        return {resolve(models_and_base(recipe, index), recipe.base_model, method, index, layouts)};
    std::vector<ResolvedSlice> slices;
    for (const RecipeSlice& slice : recipe.slices) {
        const auto& base = slice.base_model ? slice.base_model : recipe.base_model;
        slices.push_back(resolve(slice.sources, base, method, index, layouts));
        slices.back().parameters = &slice.parameters;
    }
    if (slices.empty()) throw UsageError("recipe refused", "it lists no models and no slices");
    return slices;
}

}  // namespace galapagos
