// The order in which the layers of a network run.
#pragma once

#include <cstdint>
#include <vector>

namespace galapagos {

/// What the scale of a hop multiplies before its layer runs. The first hop's multiplies the
/// embeddings under both rules.
enum class ScaleRule {
    branch,  ///< what the last step of the hop before adds to the residual stream
    stream,  ///< the whole residual stream
};

/// One run of one layer.
struct RouteHop {
    std::int64_t slot = 0;  ///< which of the stored layers
    float scale = 1;

    bool operator==(const RouteHop&) const = default;
};

/// A path over stored layers: any of them, in any order, as often as one likes.
struct LayerRoute {
    ScaleRule rule = ScaleRule::branch;
    std::vector<RouteHop> hops;

    /// Every layer once, in order.
    static LayerRoute plain(std::int64_t layers) {
        LayerRoute route;
        for (std::int64_t slot = 0; slot < layers; ++slot) route.hops.push_back({slot, 1});
        return route;
    }

    bool operator==(const LayerRoute&) const = default;
};

/// Throws Error unless the route has between one and `most_hops` hops, all over `layers` stored
/// layers with finite scales.
void check_route(const LayerRoute& route, std::int64_t layers, std::int64_t most_hops);

}  // namespace galapagos
