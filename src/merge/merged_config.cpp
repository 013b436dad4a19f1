#include "merge/merged_config.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "weights/architecture.hpp"

namespace galapagos {

namespace {

using nlohmann::json;

bool lists_types(const json& config) {
    return config.contains("layer_types") && config["layer_types"].is_array();
}

/// What `layer_types` says or would say; null where nobody knows: a model of unknown type.
json layer_types(const json& config) {
    if (lists_types(config)) return config["layer_types"];
    try {
        json types = json::array();
        for (const auto& layer : Architecture::from_config(config, "config.json").layer_settings)
            types.push_back(layer.window > 0 ? "sliding_attention" : "full_attention");
        return types;
    } catch (const Error&) {
        return nullptr;
    }
}

/// The source whose layers the result's resemble most.
const RecipeInput& leading_source(const Recipe& recipe, const RecipeSlice& slice) {
    const auto& base = slice.base_model ? slice.base_model : recipe.base_model;
    const auto listed = std::find_if(slice.sources.begin(), slice.sources.end(),
                                     [&](const auto& source) { return base == source.model; });
    return listed == slice.sources.end() ? slice.sources.front() : *listed;
}

/// The types of all layers where the slices put them, or null.
json stacked_types(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
                   const SourceIndex& index) {
    json stacked = json::array();
    for (const RecipeSlice& slice : recipe.slices) {
        const RecipeInput& source = leading_source(recipe, slice);
        const auto& config = sources[static_cast<std::size_t>(index.at(source.model))]->config();
        const json types = layer_types(config);
        const auto [begin, end] = *source.layer_range;
        if (types.is_null() || end > static_cast<std::int64_t>(types.size())) return nullptr;
        stacked.insert(stacked.end(), types.begin() + begin, types.begin() + end);
    }
    return stacked;
}

}  // namespace

json merged_config(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
                   const SourceIndex& index, std::int64_t layers) {
    json config = sources[static_cast<std::size_t>(index.at(donor_model(recipe)))]->config();
    for (const char* key : {"num_hidden_layers", "n_layer"})
        if (config.contains(key)) config[key] = layers;
    if (recipe.slices.empty()) return config;
    const json types = stacked_types(recipe, sources, index);
    if (types.is_null()) return config;
    if (lists_types(config)) {
        config["layer_types"] = types;
    } else if (layer_types(config) != types) {
        json listed = config;
        listed["layer_types"] = types;
        try {
            Architecture::from_config(listed, "config.json");
            config = std::move(listed);
        } catch (const Error&) {  // an architecture whose layers are all alike
        }
    }
    return config;
}

}  // namespace galapagos
