// Which islands send migrants to which.
#pragma once

#include <cstdint>
#include <vector>

#include "island/settings.hpp"

namespace galapagos {

/// A directed graph over islands: who receives from whom.
struct Topology {
    std::vector<std::vector<int>> targets;  ///< per island, ascending: where its migrants go
    std::vector<std::vector<int>>
        sources;  ///< per island, ascending: where its immigrants come from
};

/// The same on every rank. `random_regular` gives every island min(degree, islands - 1) targets and
/// as many sources, drawn with `seed` (a union of random cyclic orders, so that the graph is
/// connected).
Topology make_topology(const MigrationSettings& settings, int islands, std::uint64_t seed);

}  // namespace galapagos
