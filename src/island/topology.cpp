#include "island/topology.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.hpp"

namespace galapagos {
namespace {

using Edges = std::set<std::pair<int, int>>;

std::vector<int> shuffled(int islands, RandomStream& random) {
    std::vector<int> order(static_cast<std::size_t>(islands));
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

void add_cycle(Edges& edges, const std::vector<int>& order) {
    for (std::size_t i = 0; i < order.size(); ++i) {
        const int from = order[i], to = order[(i + 1) % order.size()];
        if (from != to) edges.emplace(from, to);
    }
}

bool overlaps(const Edges& edges, const std::vector<int>& order) {
    Edges cycle;
    add_cycle(cycle, order);
    return std::any_of(cycle.begin(), cycle.end(),
                       [&](const auto& edge) { return edges.contains(edge); });
}

Edges random_regular(int islands, int degree, std::uint64_t seed) {
    RandomStream random(seed, 0, Purpose::topology, 0);
    Edges edges;
    degree = std::min(degree, islands - 1);
    for (int cycles = 0; cycles < degree; ++cycles) {
        // A fresh cyclic order rarely repeats an edge on many islands; on few, rotations of one
        // order never do.
        auto order = shuffled(islands, random);
        for (int tries = 0; tries < 100 && overlaps(edges, order); ++tries)
            order = shuffled(islands, random);
        if (overlaps(edges, order)) {
            edges.clear();
            const auto base = shuffled(islands, random);
            for (int step = 1; step <= degree; ++step)
                for (int i = 0; i < islands; ++i)
                    edges.emplace(base[static_cast<std::size_t>(i)],
                                  base[static_cast<std::size_t>((i + step) % islands)]);
            return edges;
        }
        add_cycle(edges, order);
    }
    return edges;
}

Edges edges_of(const MigrationSettings& settings, int islands, std::uint64_t seed) {
    Edges edges;
    std::vector<int> order(static_cast<std::size_t>(islands));
    std::iota(order.begin(), order.end(), 0);
    switch (settings.topology) {
        case TopologyKind::none:
            break;
        case TopologyKind::ring:
            add_cycle(edges, order);
            break;
        case TopologyKind::fully_connected:
            for (const int from : order)
                for (const int to : order)
                    if (from != to) edges.emplace(from, to);
            break;
        case TopologyKind::star:
            for (int leaf = 1; leaf < islands; ++leaf) {
                edges.emplace(0, leaf);
                edges.emplace(leaf, 0);
            }
            break;
        case TopologyKind::random_regular:
            return random_regular(islands, settings.degree, seed);
    }
    return edges;
}

}  // namespace

Topology make_topology(const MigrationSettings& settings, int islands, std::uint64_t seed) {
    Topology topology;
    topology.targets.resize(static_cast<std::size_t>(islands));
    topology.sources.resize(static_cast<std::size_t>(islands));
    for (const auto& [from, to] : edges_of(settings, islands, seed)) {
        topology.targets[static_cast<std::size_t>(from)].push_back(to);
        topology.sources[static_cast<std::size_t>(to)].push_back(from);
    }
    for (auto& list : topology.sources) std::sort(list.begin(), list.end());
    return topology;
}

}  // namespace galapagos
