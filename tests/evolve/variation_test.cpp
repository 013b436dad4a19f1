#include "evolve/variation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "evolve/search_run.hpp"

namespace galapagos {
namespace {

RandomStream stream(uint64_t index) { return {1, 0, Purpose::test, index}; }

TEST(Crossover, ChildrenLieAroundTheirParentsAndInsideTheBounds) {
    const std::vector<Gene> genes = {Gene::real("x", 0, 1, 0.5)};
    double low = 1, high = 0, sum = 0;
    size_t beside_first = 0, crossed = 0;
    constexpr int trials = 40000;
    for (int i = 0; i < trials; ++i) {
        RandomStream random = stream(static_cast<uint64_t>(i));
        const double x = crossover(genes, {0.3}, {0.5}, 15, random)[0];
        low = std::min(low, x);
        high = std::max(high, x);
        sum += x / trials;
        crossed += x != 0.3 ? 1U : 0U;
        beside_first += x != 0.3 && std::abs(x - 0.3) < std::abs(x - 0.5) ? 1U : 0U;
    }
    EXPECT_GE(low, 0.0);
    EXPECT_LE(high, 1.0);
    EXPECT_LT(low, 0.28);
    EXPECT_GT(high, 0.52);
    // Half of the genes are crossed, and half of these lie beside the other parent.
    EXPECT_NEAR(static_cast<double>(crossed) / trials, 0.5, 0.01);
    EXPECT_NEAR(static_cast<double>(beside_first) / static_cast<double>(crossed), 0.5, 0.015);
    EXPECT_NEAR(sum, 0.35, 0.002);
}

TEST(Crossover, SpreadsAsTheDistributionIndexSays) {
    // Far from the bounds, SBX children have spread factors beta with E|beta| given by eta: the
    // median of beta is 1, P(beta < b) = b^(eta+1) / 2 for b < 1.
    const std::vector<Gene> genes = {Gene::real("x", -1e6, 1e6, 0)};
    std::vector<double> factors;
    for (uint64_t i = 0; factors.size() < 20000; ++i) {
        RandomStream random = stream(i);
        const double x = crossover(genes, {-1.0}, {1.0}, 15, random)[0];
        if (x != -1.0) {
            factors.push_back(std::abs(x));
        }
    }
    std::sort(factors.begin(), factors.end());
    const auto share_below = [&](double b) {
        const auto place = std::lower_bound(factors.begin(), factors.end(), b);
        return static_cast<double>(place - factors.begin()) / static_cast<double>(factors.size());
    };
    EXPECT_NEAR(share_below(1.0), 0.5, 0.015);
    EXPECT_NEAR(share_below(0.95), 0.5 * std::pow(0.95, 16), 0.015);
    EXPECT_NEAR(1 - share_below(1.1), 0.5 * std::pow(1.1, -16), 0.015);
}

TEST(Crossover, CopiesWhatIsEqualAndMixesTheRest) {
    const std::vector<Gene> genes = mixed_genes();
    const Genome first = {0.2, 1.0, 3, 0, 0, 0.7, 0, 1};
    const Genome second = {0.2, 1.5, 8, 2, 1, 0.7, 0, 1};
    std::set<double> methods, whole;
    for (uint64_t i = 0; i < 500; ++i) {
        RandomStream random = stream(i);
        const Genome child = crossover(genes, first, second, 15, random);
        ASSERT_NO_THROW(check_genome(genes, child));
        EXPECT_EQ(child[0], 0.2);
        EXPECT_EQ(child[5], 0.7);
        methods.insert(child[3]);
        whole.insert(child[2]);
    }
    EXPECT_EQ(methods, (std::set<double>{0, 2}));
    EXPECT_GT(whole.size(), 2U);
}

TEST(Mutation, ChangesGenesAtItsRate) {
    const std::vector<Gene> genes = real_genes(10, -1, 1, 0);
    size_t changed = 0;
    for (uint64_t i = 0; i < 2000; ++i) {
        RandomStream random = stream(i);
        Genome genome(10, 0.9);
        mutate(genes, genome, 0.1, 20, false, random);
        ASSERT_NO_THROW(check_genome(genes, genome));
        changed += static_cast<size_t>(
            std::count_if(genome.begin(), genome.end(), [](double x) { return x != 0.9; }));
    }
    EXPECT_NEAR(static_cast<double>(changed) / 20000, 0.1, 0.01);
}

TEST(Mutation, StepsHaveTheStatedSpread) {
    // In the middle of the box P(|step| > s) = ((1 - s)^(eta+1) - 2^-(eta+1)) / (1 - 2^-(eta+1)),
    // in box widths, with the bounds at distance 1/2.
    const std::vector<Gene> genes = {Gene::real("x", 0, 10, 5)};
    size_t beyond = 0;
    for (uint64_t i = 0; i < 20000; ++i) {
        RandomStream random = stream(i);
        Genome genome = {5};
        EXPECT_TRUE(mutate(genes, genome, 1.0, 20, false, random));
        beyond += std::abs(genome[0] - 5) > 0.5 ? 1U : 0U;
    }
    const double rest = std::pow(0.5, 21);
    EXPECT_NEAR(static_cast<double>(beyond) / 20000, (std::pow(0.95, 21) - rest) / (1 - rest),
                0.012);
}

TEST(Mutation, AlwaysMovesAnIntegerAndAChoice) {
    const std::vector<Gene> genes = {Gene::integer("i", 0, 9, 4), Gene::binary("b"),
                                     Gene::categorical("c", {"x", "y", "z"})};
    std::map<double, int> choices;
    for (uint64_t i = 0; i < 3000; ++i) {
        RandomStream random = stream(i);
        Genome genome = {static_cast<double>(i % 10), 1, 1};
        EXPECT_TRUE(mutate(genes, genome, 1.0, 20, false, random));
        ASSERT_NO_THROW(check_genome(genes, genome));
        EXPECT_NE(genome[0], static_cast<double>(i % 10));
        EXPECT_EQ(genome[1], 0);
        ++choices[genome[2]];
    }
    EXPECT_EQ(choices.count(1), 0U);
    EXPECT_NEAR(choices[0], 1500, 150);
    EXPECT_NEAR(choices[2], 1500, 150);
}

TEST(Mutation, CanBeForced) {
    const std::vector<Gene> genes = real_genes(5, 0, 1, 0.5);
    for (uint64_t i = 0; i < 100; ++i) {
        RandomStream random = stream(i);
        Genome genome(5, 0.5);
        EXPECT_TRUE(mutate(genes, genome, 0.0, 20, true, random));
        EXPECT_EQ(std::count(genome.begin(), genome.end(), 0.5), 4);
    }
}

TEST(Mutation, LeavesGenesAloneThatHaveNoEffect) {
    std::vector<Gene> genes = {Gene::binary("use"), Gene::real("scale", 0, 1, 0.5)};
    genes[1].condition = 0;
    size_t flips = 0, moves = 0;
    for (uint64_t i = 0; i < 2000; ++i) {
        RandomStream random = stream(i);
        Genome off = {0, 0.5};
        EXPECT_TRUE(mutate(genes, off, 0.0, 20, true, random));
        EXPECT_EQ(off, (Genome{1, 0.5}));
        Genome on = {1, 0.5};
        EXPECT_TRUE(mutate(genes, on, 0.0, 20, true, random));
        flips += on[0] == 0 ? 1U : 0U;
        moves += on[1] != 0.5 ? 1U : 0U;
        reset_one_gene(genes, off = {0, 0.5}, random);
        EXPECT_EQ(off[1], 0.5);
    }
    EXPECT_EQ(flips + moves, 2000U);
    EXPECT_NEAR(static_cast<double>(flips) / 2000, 0.5, 0.05);
}

TEST(ValueAround, FlipsABinaryGeneAsOftenAsItsSpreadSays) {
    for (const bool initial : {false, true}) {
        const Gene gene = Gene::binary("use", initial);
        size_t flips = 0;
        for (uint64_t i = 0; i < 20000; ++i) {
            RandomStream random = stream(i);
            flips += value_around(gene, 0.02, random) != gene.initial ? 1U : 0U;
        }
        EXPECT_NEAR(static_cast<double>(flips) / 20000, 0.02, 0.004);
    }
}

}  // namespace
}  // namespace galapagos
