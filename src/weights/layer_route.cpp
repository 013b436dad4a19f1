#include "weights/layer_route.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"

namespace galapagos {

void check_route(const LayerRoute& route, std::int64_t layers, std::int64_t most_hops) {
    const std::string what = "Cannot run this layer path";
    if (route.hops.empty()) throw Error(what, "it has no hops");
    if (static_cast<std::int64_t>(route.hops.size()) > most_hops)
        throw Error(what,
                    fmt::format("it has {} hops, there are key-value caches for {}",
                                route.hops.size(), most_hops),
                    "make the decoder with a larger max_hops");
    for (const RouteHop& hop : route.hops) {
        if (hop.slot < 0 || hop.slot >= layers)
            throw Error(what, fmt::format("it runs layer {} of {}", hop.slot, layers));
        if (!std::isfinite(hop.scale)) throw Error(what, "a scale is not finite");
    }
}

}  // namespace galapagos
