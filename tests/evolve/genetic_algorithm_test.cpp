#include "evolve/genetic_algorithm.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "evolve/random_search.hpp"
#include "evolve/search_run.hpp"

namespace galapagos {
namespace {

OptimizerSettings with_population(size_t population) {
    OptimizerSettings settings;
    settings.population = population;
    return settings;
}

TEST(GeneticAlgorithm, BeginsWithTheInitialValuesAndALatinHypercube) {
    const std::vector<Gene> genes = {Gene::real("a", 0, 2, 0.7), Gene::integer("b", 0, 4, 1)};
    GeneticAlgorithm optimizer(with_population(20), genes, 1, 0);
    EXPECT_EQ(optimizer.ask().genome, (Genome{0.7, 1}));
    std::set<int> strata;
    std::map<double, int> counts;
    for (int i = 1; i < 20; ++i) {
        const Individual individual = optimizer.ask();
        EXPECT_EQ(individual.origin, Origin::initial);
        strata.insert(static_cast<int>(individual.genome[0] * 10));
        ++counts[individual.genome[1]];
    }
    EXPECT_EQ(strata.size(), 19U);
    for (int value = 0; value <= 4; ++value) {
        EXPECT_NEAR(counts[value], 4, 1);
    }
}

TEST(GeneticAlgorithm, CanBeginAroundTheInitialValues) {
    OptimizerSettings settings = with_population(200);
    settings.initial_spread = 0.1;
    const std::vector<Gene> genes = {Gene::real("a", 0, 2, 0.7), Gene::real("b", 0, 1, 0)};
    GeneticAlgorithm optimizer(settings, genes, 1, 0);
    double mean = 0, square = 0;
    for (int i = 0; i < 200; ++i) {
        const Genome genome = optimizer.ask().genome;
        EXPECT_GE(genome[1], 0.0);
        EXPECT_LT(genome[1], 0.5);
        mean += genome[0] / 200;
        square += (genome[0] - 0.7) * (genome[0] - 0.7) / 200;
    }
    EXPECT_NEAR(mean, 0.7, 0.05);
    EXPECT_NEAR(std::sqrt(square), 0.2, 0.04);
}

TEST(GeneticAlgorithm, BeginsWithinTheSpreadOfGenesThatHaveOne) {
    std::vector<Gene> genes = {Gene::real("a", 0, 2, 0.7), Gene::binary("b", true),
                               Gene::real("c", 0, 1, 0.5)};
    genes[0].spread = 0.02;
    genes[1].spread = 0.02;
    OptimizerSettings settings = with_population(200);
    GeneticAlgorithm ga(settings, genes, 1, 0);
    RandomSearch chance(settings, genes, 1, 0);
    for (Optimizer* optimizer : {static_cast<Optimizer*>(&ga), static_cast<Optimizer*>(&chance)}) {
        double off = 0, square = 0;
        std::set<int> strata;
        for (int i = 0; i < 200; ++i) {
            const Genome genome = optimizer->ask().genome;
            off += genome[1] == 0 ? 1 : 0;
            square += (genome[0] - 0.7) * (genome[0] - 0.7) / 200;
            strata.insert(static_cast<int>(genome[2] * 20));
        }
        EXPECT_NEAR(std::sqrt(square), 0.04, 0.01) << optimizer->name();
        EXPECT_LT(off, 15) << optimizer->name();
        EXPECT_EQ(strata.size(), 20U) << optimizer->name();
    }
}

TEST(GeneticAlgorithm, SolvesAMixedProblemFarFasterThanChance) {
    size_t evolved = 0, random = 0;
    for (uint64_t seed = 1; seed <= 11; ++seed) {
        GeneticAlgorithm ga(with_population(20), mixed_genes(), seed, 0);
        SearchRun run(ga, mixed_fitness);
        evolved += run.evaluations_to(-0.01, 20000);
        RandomSearch chance(with_population(20), mixed_genes(), seed, 0);
        SearchRun other(chance, mixed_fitness);
        random += other.evaluations_to(-0.01, 20000);
    }
    std::printf("mean evaluations: ga %zu, random %zu\n", evolved / 11, random / 11);
    EXPECT_LT(evolved / 11, 900U);
    EXPECT_LT(4 * evolved, random);
}

TEST(GeneticAlgorithm, SolvesOneMax) {
    std::vector<Gene> genes;
    for (int i = 0; i < 40; ++i) {
        genes.push_back(Gene::binary(fmt::format("b{}", i)));
    }
    for (uint64_t seed = 1; seed <= 5; ++seed) {
        GeneticAlgorithm ga(with_population(20), genes, seed, 0);
        SearchRun run(ga, [](const Genome& x) { return std::accumulate(x.begin(), x.end(), 0.0); });
        EXPECT_LT(run.evaluations_to(40, 4000), 2500U) << seed;
    }
}

TEST(GeneticAlgorithm, MakesNoDuplicates) {
    GeneticAlgorithm ga(with_population(12), mixed_genes(), 3, 0);
    SearchRun run(ga, mixed_fitness, 12);
    for (int i = 0; i < 40; ++i) {
        run.generation();
        // Elites and the candidates after them are all different.
        std::set<Genome> distinct;
        for (const Evaluated& elite : ga.elites(100)) {
            EXPECT_TRUE(distinct.insert(elite.genome).second);
        }
    }
    std::set<Genome> seen;
    size_t repeated = 0;
    for (const Individual& individual : run.all()) {
        repeated += seen.insert(individual.genome).second ? 0U : 1U;
    }
    EXPECT_LT(repeated, run.all().size() / 100);
}

TEST(GeneticAlgorithm, EndsWhereTheSpaceIsExhausted) {
    GeneticAlgorithm ga(with_population(8), {Gene::binary("a"), Gene::binary("b")}, 3, 0);
    SearchRun run(ga, [](const Genome& x) { return x[0] + x[1]; });
    for (int i = 0; i < 5; ++i) {
        run.generation();
    }
    EXPECT_EQ(ga.elites(8).size(), 4U);
    EXPECT_EQ(run.best(), 2.0);
}

TEST(GeneticAlgorithm, NamesParentsThatExist) {
    GeneticAlgorithm ga(with_population(10), mixed_genes(), 3, 0);
    SearchRun run(ga, mixed_fitness, 3);
    for (int i = 0; i < 20; ++i) {
        run.generation();
    }
    size_t crossed = 0;
    for (const Individual& individual : run.all()) {
        const size_t expected = individual.origin == Origin::initial    ? 0
                                : individual.origin == Origin::mutation ? 1
                                                                        : 2;
        if (individual.origin != Origin::reset) {
            EXPECT_EQ(individual.parents.size(), expected);
        }
        for (const uint64_t parent : individual.parents) {
            EXPECT_LT(parent, individual.id);
        }
        crossed += individual.origin == Origin::crossover ? 1U : 0U;
    }
    EXPECT_GT(crossed, run.all().size() / 2);
}

TEST(GeneticAlgorithm, MergesMigrantsAndKeepsTheBest) {
    GeneticAlgorithm ga(with_population(6), real_genes(3, 0, 1, 0.5), 3, 0);
    SearchRun run(ga, [](const Genome& x) { return x[0]; });
    run.generation();
    const auto before = ga.elites(6);
    ga.inject(std::vector<Evaluated>{{900, {0.1, 0.2, 0.3}, 5.0}, {901, {0.2, 0.2, 0.3}, -5.0}});
    const auto after = ga.elites(10);
    ASSERT_EQ(after.size(), 6U);
    EXPECT_EQ(after[0].id, 900U);
    for (size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(after[i + 1].id, before[i].id);
    }
    // The migrant is a parent from now on.
    run.generation();
    bool used = false;
    for (const Individual& individual : run.all()) {
        used = used || std::count(individual.parents.begin(), individual.parents.end(), 900) > 0;
    }
    EXPECT_TRUE(used);
}

TEST(GeneticAlgorithm, DriftsAcrossAPlateau) {
    GeneticAlgorithm ga(with_population(8), real_genes(3, 0, 1, 0.5), 3, 0);
    SearchRun run(ga, [](const Genome&) { return 0.5; });
    run.generation();
    const auto before = ga.elites(8);
    for (int i = 0; i < 10; ++i) {
        run.generation();
    }
    for (const Evaluated& elite : ga.elites(8)) {
        EXPECT_GE(elite.id, before.size());
    }
}

}  // namespace
}  // namespace galapagos
