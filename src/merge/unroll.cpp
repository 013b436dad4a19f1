// Writing a layer path as a model that runs its layers in order.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "merge/path_plan.hpp"
#include "merge/source_layout.hpp"

namespace galapagos {

namespace {

constexpr const char* advice = "evaluate runs the recipe as it is";

[[noreturn]] void refuse(std::size_t hop, const PathHop& what, const std::string& why) {
    throw UsageError(
        "layer path can't be written to a folder",
        fmt::format("hop {}, layer {} of '{}': {}", hop, what.layer.layer, what.layer.model, why),
        advice);
}

/// The modules whose weights take scales up, or why there are none.
class ScaledModules {
  public:
    explicit ScaledModules(const Architecture& architecture)
        : architecture_(architecture), names_(architecture.layout->names) {}

    std::string refusal(ScaleRule rule, bool first_hop) const {
        if (first_hop && architecture_.tied_embeddings)
            return "its scale is for the embeddings, which are the output head too";
        if (first_hop) return {};
        if (rule == ScaleRule::stream)
            return "its scale is for the whole residual stream, which no weight multiplies";
        if (!names_.mlp_post_norm.empty())
            return "its scale is for a normalised state, which no factor of a weight multiplies";
        return {};
    }

    bool contain(const std::string& tensor) const {
        if (!parse_layer_name(tensor))
            return is(tensor, names_.embedding) || is(tensor, names_.positions);
        return is(tensor, names_.down) ||
               (architecture_.parallel_residual && is(tensor, names_.attention_output));
    }

  private:
    static bool is(const std::string& tensor, std::string_view module) {
        return !module.empty() && (ends_with_component(tensor, fmt::format("{}.weight", module)) ||
                                   ends_with_component(tensor, fmt::format("{}.bias", module)));
    }

    const Architecture& architecture_;
    const TensorNames& names_;
};

/// A hop's scale goes into the layer before, the first one's into the embeddings.
void fold_scales(const LayerPath& path, const Architecture& architecture, MergePlan& plan) {
    const ScaledModules modules(architecture);
    for (std::size_t hop = 0; hop < path.hops.size(); ++hop) {
        if (path.hops[hop].scale == 1) continue;
        const std::string refusal = modules.refusal(path.rule, hop == 0);
        if (!refusal.empty()) refuse(hop, path.hops[hop], refusal);
    }
    for (TensorMerge& tensor : plan.tensors) {
        const auto place = parse_layer_name(tensor.output_name);
        const auto hop = place ? static_cast<std::size_t>(place->layer) + 1 : 0;
        if (hop < path.hops.size() && modules.contain(tensor.output_name))
            tensor.inputs.front().weight = path.hops[hop].scale;
    }
}

/// The first hop whose layer would do something else under `config`.
std::optional<std::size_t> first_difference(const nlohmann::json& config, const LayerRoute& route,
                                            const Architecture& slots) {
    const Architecture written = Architecture::from_config(config, "config.json");
    for (std::size_t hop = 0; hop < route.hops.size(); ++hop) {
        const LayerSettings& is = written.layer_settings[hop];
        const LayerSettings& should =
            slots.layer_settings[static_cast<std::size_t>(route.hops[hop].slot)];
        const auto rope = [](const Architecture& a, int number) {
            return number < 0 ? RopeSettings{} : a.ropes[static_cast<std::size_t>(number)];
        };
        if (is.window != should.window || is.attention_scale != should.attention_scale ||
            (is.rope < 0) != (should.rope < 0) ||
            !(rope(written, is.rope) == rope(slots, should.rope)))
            return hop;
    }
    return std::nullopt;
}

nlohmann::json layer_types(const LayerRoute& route, const Architecture& slots) {
    auto types = nlohmann::json::array();
    for (const RouteHop& hop : route.hops) {
        const auto& settings = slots.layer_settings[static_cast<std::size_t>(hop.slot)];
        types.push_back(settings.window > 0 ? "sliding_attention" : "full_attention");
    }
    return types;
}

/// The donor's config.json with a layer a hop. Where layers differ from each other by their number,
/// a list of layer types may say what each does now.
nlohmann::json unrolled_config(const Source& donor, const LayerPath& path, const LayerRoute& route,
                               const Architecture& slots) {
    nlohmann::json config = donor.config();
    config[std::string(slots.layout->keys.layers)] = path.hops.size();
    std::optional<std::size_t> different;
    if (!config.contains("layer_types") || config["layer_types"].is_null()) {
        different = first_difference(config, route, slots);
        if (!different) return config;
    }
    try {
        config["layer_types"] = layer_types(route, slots);
        different = first_difference(config, route, slots);
    } catch (const Error& error) {
        // An architecture without layer types: what differed before still does.
        if (!different)
            throw UsageError("layer path can't be written to a folder", error.what(), advice);
    }
    if (different)
        refuse(*different, path.hops[*different],
               "config.json can't give it the window, rotary embedding or attention scale that it "
               "has in its model");
    return config;
}

}  // namespace

UnrolledModel unroll(const Recipe& recipe,
                     const std::vector<std::shared_ptr<const Source>>& sources,
                     const SourceIndex& index) {
    const LayerPath& path = *recipe.layer_path;
    const std::string donor_name = donor_model(recipe);
    const Source& donor = *sources[static_cast<std::size_t>(index.at(donor_name))];
    const LayerSlots slots(path);
    const Architecture architecture = slot_architecture(slots, donor, sources, index);
    std::vector<LayerOfModel> layers;
    for (const PathHop& hop : path.hops) layers.push_back(hop.layer);

    UnrolledModel model{make_slot_plan(layers, donor_name, sources, index),
                        unrolled_config(donor, path, slots.route(path), architecture)};
    fold_scales(path, architecture, model.plan);
    const auto dtype = recipe.out_dtype ? recipe.out_dtype : recipe.dtype;
    for (TensorMerge& tensor : model.plan.tensors)
        if (dtype && !tensor.copied) tensor.dtype = *dtype;
    return model;
}

}  // namespace galapagos
