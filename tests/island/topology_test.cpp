#include "island/topology.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace galapagos {
namespace {

Topology make(TopologyKind kind, int islands, int degree = 2, std::uint64_t seed = 1) {
    MigrationSettings settings;
    settings.topology = kind;
    settings.degree = degree;
    return make_topology(settings, islands, seed);
}

void expect_consistent(const Topology& topology) {
    for (int from = 0; from < static_cast<int>(topology.targets.size()); ++from) {
        for (const int to : topology.targets[static_cast<std::size_t>(from)]) {
            EXPECT_NE(from, to);
            const auto& back = topology.sources[static_cast<std::size_t>(to)];
            EXPECT_TRUE(std::binary_search(back.begin(), back.end(), from));
        }
    }
}

TEST(Topology, Ring) {
    const auto topology = make(TopologyKind::ring, 4);
    EXPECT_EQ(topology.targets[3], std::vector<int>{0});
    EXPECT_EQ(topology.sources[0], std::vector<int>{3});
    EXPECT_TRUE(make(TopologyKind::ring, 1).targets[0].empty());
}

TEST(Topology, StarFullAndNone) {
    EXPECT_EQ(make(TopologyKind::star, 4).targets[0], (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(make(TopologyKind::star, 4).targets[2], std::vector<int>{0});
    EXPECT_EQ(make(TopologyKind::fully_connected, 3).targets[1], (std::vector<int>{0, 2}));
    EXPECT_TRUE(make(TopologyKind::none, 3).targets[1].empty());
}

TEST(Topology, RandomRegularGivesEveryIslandItsDegreeBothWays) {
    for (const int islands : {2, 3, 5, 16, 61}) {
        for (const int degree : {1, 2, 4}) {
            for (const std::uint64_t seed : {1, 2, 3}) {
                const auto topology = make(TopologyKind::random_regular, islands, degree, seed);
                expect_consistent(topology);
                const auto expected = static_cast<std::size_t>(std::min(degree, islands - 1));
                for (int i = 0; i < islands; ++i) {
                    EXPECT_EQ(topology.targets[static_cast<std::size_t>(i)].size(), expected)
                        << islands << " " << degree;
                    EXPECT_EQ(topology.sources[static_cast<std::size_t>(i)].size(), expected);
                }
            }
        }
    }
    EXPECT_NE(make(TopologyKind::random_regular, 16, 2, 1).targets,
              make(TopologyKind::random_regular, 16, 2, 2).targets);
}

}  // namespace
}  // namespace galapagos
