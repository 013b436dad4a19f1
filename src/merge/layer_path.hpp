// A layer path: which layer of which source runs next, and with which scale.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/yaml.hpp"
#include "weights/layer_route.hpp"

namespace galapagos {

/// One layer of one source. `model` is a reference: "folder" or "folder+adapter".
struct LayerOfModel {
    std::string model;
    std::int64_t layer = 0;

    auto operator<=>(const LayerOfModel&) const = default;
};

struct PathHop {
    LayerOfModel layer;
    double scale = 1;

    bool operator==(const PathHop&) const = default;
};

/// The data-flow part of a recipe. Embeddings, final norm and output head are those of the recipe's
/// base model.
struct LayerPath {
    ScaleRule rule = ScaleRule::branch;
    std::vector<PathHop> hops;

    bool operator==(const LayerPath&) const = default;
};

/// Each hop costs a key-value cache and a layer's time.
inline constexpr std::size_t most_hops = 1024;

/// Reads the value of the key `layer_path`:
///
///     scale_rule: branch                                       # or stream
///     hops:
///       - {model: models/a, layer_range: [0, 12]}              # layers 0 to 11, one after the
///       other
///       - {model: models/b, layer: 7, scale: 0.9}
///
/// Throws UsageError that names the place.
LayerPath read_layer_path(const YamlReader& reader);

}  // namespace galapagos
