#include "merge/path_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "merge/source_layout.hpp"

namespace galapagos {

namespace {

const Source& source_of(const std::string& model,
                        const std::vector<std::shared_ptr<const Source>>& sources,
                        const SourceIndex& index) {
    return *sources[static_cast<std::size_t>(index.at(model))];
}

Architecture architecture_of(const Source& source) {
    return Architecture::from_config(source.config(),
                                     (source.folder().folder() / "config.json").string());
}

/// What all layers of a network have in common.
void check_same_network(const Architecture& donor, const Architecture& own, const Source& source) {
    const auto check = [&](const char* what, auto member) {
        if (donor.*member != own.*member)
            throw Error(fmt::format("the layers of '{}' can't run in this path", source.name()),
                        fmt::format("its {} is not that of the base model", what));
    };
    check("architecture", &Architecture::layout);
    check("hidden size", &Architecture::hidden);
    check("number of heads", &Architecture::query_heads);
    check("number of key-value heads", &Architecture::kv_heads);
    check("head size", &Architecture::head_dim);
    check("MLP size", &Architecture::intermediate);
    check("number of experts", &Architecture::experts);
    check("use of biases", &Architecture::query_key_value_bias);
    check("use of biases", &Architecture::attention_output_bias);
    check("use of biases", &Architecture::mlp_bias);
    check("kind of norm", &Architecture::norm);
    check("norm epsilon", &Architecture::norm_epsilon);
    check("activation", &Architecture::activation);
    check("order of attention and MLP", &Architecture::parallel_residual);
    check("cap of attention scores", &Architecture::attention_softcap);
    check("number of experts a token", &Architecture::experts_per_token);
}

/// A layer's settings in the terms of another network, whose rotary embeddings grow by need.
LayerSettings moved_settings(const LayerSettings& settings, const Architecture& own,
                             std::vector<RopeSettings>& ropes) {
    LayerSettings moved = settings;
    if (settings.rope < 0) return moved;
    const RopeSettings& rope = own.ropes[static_cast<std::size_t>(settings.rope)];
    const auto known = std::find(ropes.begin(), ropes.end(), rope);
    moved.rope = static_cast<int>(known - ropes.begin());
    if (known == ropes.end()) ropes.push_back(rope);
    return moved;
}

}  // namespace

LayerSlots::LayerSlots(const LayerPath& path) {
    for (const PathHop& hop : path.hops)
        if (std::find(layers_.begin(), layers_.end(), hop.layer) == layers_.end())
            layers_.push_back(hop.layer);
}

LayerRoute LayerSlots::route(const LayerPath& path) const {
    LayerRoute route{path.rule, {}};
    for (const PathHop& hop : path.hops) {
        const auto slot = std::find(layers_.begin(), layers_.end(), hop.layer);
        if (slot == layers_.end())
            throw Error("layer path can't be run", fmt::format("layer {} of '{}' is not stored",
                                                               hop.layer.layer, hop.layer.model));
        route.hops.push_back({slot - layers_.begin(), static_cast<float>(hop.scale)});
    }
    return route;
}

Architecture slot_architecture(const LayerSlots& slots, const Source& donor,
                               const std::vector<std::shared_ptr<const Source>>& sources,
                               const SourceIndex& index) {
    Architecture result = architecture_of(donor);
    result.tied_embeddings = donor.folder().tied();
    result.layers = static_cast<std::int64_t>(slots.layers().size());
    result.layer_settings.clear();
    std::map<std::string, Architecture> architectures;
    for (const auto& [model, layer] : slots.layers()) {
        const Source& source = source_of(model, sources, index);
        const auto [entry, is_new] = architectures.try_emplace(model, architecture_of(source));
        const Architecture& own = entry->second;
        if (is_new) check_same_network(result, own, source);
        if (layer >= own.layers)
            throw UsageError("recipe refused", fmt::format("layer {} of '{}', which has {} layers",
                                                           layer, model, own.layers));
        result.layer_settings.push_back(
            moved_settings(own.layer_settings[static_cast<std::size_t>(layer)], own, result.ropes));
    }
    return result;
}

MergePlan make_slot_plan(const std::vector<LayerOfModel>& slots, const std::string& donor,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const SourceIndex& index) {
    // Layers and the rest are planned apart, since slices take the rest from the outer slices.
    Recipe layers, rest;
    layers.method = rest.method = Method::passthrough;
    for (const auto& [model, layer] : slots)
        layers.slices.push_back({{{model, Range{layer, layer + 1}, {}}}, std::nullopt, {}});
    rest.slices.push_back({{{donor, Range{0, 1}, {}}}, std::nullopt, {}});
    MergePlan plan;
    MergePlan layer_plan = make_plan(layers, sources, index);
    bool before = true;
    for (TensorMerge& tensor : make_plan(rest, sources, index).tensors) {
        if (!parse_layer_name(tensor.output_name)) {
            plan.tensors.push_back(std::move(tensor));
            continue;
        }
        if (!before) continue;
        before = false;
        for (TensorMerge& own : layer_plan.tensors)
            if (parse_layer_name(own.output_name)) plan.tensors.push_back(std::move(own));
    }
    plan.layers = layer_plan.layers;
    return plan;
}

}  // namespace galapagos
