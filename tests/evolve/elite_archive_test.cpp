#include "evolve/elite_archive.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace galapagos {
namespace {

std::vector<uint64_t> ids(const EliteArchive& archive) {
    std::vector<uint64_t> list;
    for (const Evaluated& member : archive.members()) {
        list.push_back(member.id);
    }
    return list;
}

using Ids = std::vector<uint64_t>;

TEST(EliteArchive, KeepsTheBestInOrder) {
    EliteArchive archive(3, EliteArchive::Ties::older);
    EXPECT_TRUE(archive.insert({1, {0.1}, 1.0}));
    EXPECT_TRUE(archive.insert({2, {0.2}, 3.0}));
    EXPECT_TRUE(archive.insert({3, {0.3}, 2.0}));
    EXPECT_FALSE(archive.insert({4, {0.4}, 0.5}));
    EXPECT_TRUE(archive.insert({5, {0.5}, 2.5}));
    EXPECT_EQ(ids(archive), (Ids{2, 5, 3}));
    EXPECT_EQ(archive.best(2).size(), 2U);
    EXPECT_EQ(archive.best(9).size(), 3U);
}

TEST(EliteArchive, TiesGoToTheOlderOrTheNewer) {
    EliteArchive older(2, EliteArchive::Ties::older);
    EliteArchive newer(2, EliteArchive::Ties::newer);
    for (uint64_t id = 1; id <= 3; ++id) {
        older.insert({id, {static_cast<double>(id)}, 1.0});
        newer.insert({id, {static_cast<double>(id)}, 1.0});
    }
    EXPECT_EQ(ids(older), (Ids{1, 2}));
    EXPECT_EQ(ids(newer), (Ids{3, 2}));
}

TEST(EliteArchive, LeavesOutFailuresAndRepeatedGenomes) {
    EliteArchive archive(4, EliteArchive::Ties::newer);
    EXPECT_FALSE(archive.insert({1, {0.1}, -std::numeric_limits<double>::infinity()}));
    EXPECT_TRUE(archive.insert({2, {0.1}, 1.0}));
    EXPECT_FALSE(archive.insert({3, {0.1}, 1.0}));
    EXPECT_EQ(ids(archive), (Ids{2}));
}

TEST(EliteArchive, SurvivesItsText) {
    EliteArchive archive(4, EliteArchive::Ties::older);
    archive.insert({1, {0.1, 1.0 / 3.0}, std::nextafter(1.0, 2.0)});
    archive.insert({2, {std::numeric_limits<double>::denorm_min(), -0.0}, 7.0});
    EliteArchive copy(4, EliteArchive::Ties::older);
    copy.load(nlohmann::json::parse(archive.save().dump()), 2);
    EXPECT_EQ(ids(copy), ids(archive));
    EXPECT_EQ(copy.members()[1].fitness, std::nextafter(1.0, 2.0));
    EXPECT_EQ(copy.members()[1].genome, archive.members()[1].genome);
    EXPECT_TRUE(std::signbit(copy.members()[0].genome[1]));
}

TEST(Diversity, IsTheMeanSpreadOfTheGenes) {
    const std::vector<Gene> genes = {Gene::real("a", 0, 2, 1), Gene::categorical("b", {"x", "y"})};
    EXPECT_EQ(diversity({}, genes), 0.0);
    EXPECT_EQ(diversity({{1, {1, 0}, 0}, {2, {1, 0}, 0}}, genes), 0.0);
    // Reals half a box apart on each side of the mean, and one of two choices each.
    EXPECT_DOUBLE_EQ(diversity({{1, {0, 0}, 0}, {2, {2, 1}, 0}}, genes), 0.5);
}

}  // namespace
}  // namespace galapagos
