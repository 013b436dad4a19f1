#include "evolve/cma_es.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "evolve/search_run.hpp"

namespace galapagos {
namespace {

double distance_to(const Genome& x, double optimum) {
    double sum = 0;
    for (const double value : x) {
        sum += (value - optimum) * (value - optimum);
    }
    return sum;
}

TEST(CmaEs, HasThePopulationOfTheTutorial) {
    EXPECT_EQ(CmaEs({}, real_genes(6, 0, 1, 0.5), 1, 0).population_size(), 9U);
    EXPECT_EQ(CmaEs({}, real_genes(12, 0, 1, 0.5), 1, 0).population_size(), 11U);
    OptimizerSettings settings;
    settings.population = 20;
    EXPECT_EQ(CmaEs(settings, real_genes(6, 0, 1, 0.5), 1, 0).population_size(), 20U);
}

TEST(CmaEs, IsTheTextbookAlgorithmWhenToldGenerationByGeneration) {
    // Far from the bounds the map onto the box is the identity, up to the scale of the genes.
    OptimizerSettings settings;
    settings.sigma = 0.01;
    CmaEs optimizer(settings, real_genes(4, -10, 30, 10), 7, 3);
    CmaDistribution reference(cma_constants(4, 8, true), Eigen::VectorXd::Constant(4, 0.5), 0.01);
    uint64_t k = 0;
    for (int generation = 0; generation < 20; ++generation) {
        std::vector<Evaluated> batch;
        std::vector<std::pair<double, Eigen::VectorXd>> points;
        for (uint64_t i = 0; i < 8; ++i) {
            RandomStream random(7, 3, Purpose::sampling, k++);
            Eigen::VectorXd z(4);
            for (double& value : z) {
                value = random.normal();
            }
            const Eigen::VectorXd point = reference.sample(z);
            const Genome genome = optimizer.ask().genome;
            for (Eigen::Index j = 0; j < 4; ++j) {
                ASSERT_NEAR(genome[static_cast<size_t>(j)], -10 + 40 * point[j], 1e-9);
            }
            batch.push_back({k, genome, -distance_to(genome, 9.8)});
            points.emplace_back(batch.back().fitness, point);
        }
        optimizer.tell(batch);
        std::stable_sort(points.begin(), points.end(),
                         [](const auto& a, const auto& b) { return a.first > b.first; });
        Eigen::MatrixXd ranked(4, 8);
        for (Eigen::Index i = 0; i < 8; ++i) {
            ranked.col(i) = points[static_cast<size_t>(i)].second;
        }
        reference.update(ranked, std::vector<bool>(8, false));
        ASSERT_EQ(optimizer.distribution().state().mean, reference.state().mean);
        ASSERT_EQ(optimizer.distribution().state().covariance, reference.state().covariance);
    }
}

TEST(CmaEs, FindsAnOptimumOnTheBounds) {
    // The best genome is a corner of the box; fitness is steep there, so clipping would show.
    for (uint64_t seed = 1; seed <= 5; ++seed) {
        CmaEs optimizer({}, real_genes(6, 0, 1.5, 0.7), seed, 0);
        SearchRun run(optimizer, [](const Genome& x) {
            return -std::accumulate(x.begin(), x.begin() + 3, 0.0) +
                   std::accumulate(x.begin() + 3, x.end(), 0.0);
        });
        EXPECT_LT(run.evaluations_to(4.5 - 1e-6, 3000), 3000U) << seed;
    }
}

TEST(CmaEs, KeepsDeviationsBelowAThirdOfTheBox) {
    // Without any signal the step size wanders.
    CmaEs optimizer({}, real_genes(5, 0, 1, 0.5), 11, 0);
    RandomStream noise(1, 0, Purpose::test, 0);
    SearchRun run(optimizer, [&](const Genome&) { return noise.uniform(); });
    for (int i = 0; i < 300; ++i) {
        run.generation();
        ASSERT_LE(optimizer.distribution().deviations().maxCoeff(), (1 + 1e-12) / 3);
    }
}

TEST(CmaEs, SurvivesAFlatFitness) {
    CmaEs optimizer({}, real_genes(5, 0, 1, 0.5), 11, 0);
    SearchRun run(optimizer, [&](const Genome&) { return 0.25; });
    for (int i = 0; i < 2000; ++i) {
        run.generation();
    }
    EXPECT_TRUE(optimizer.distribution().state().mean.allFinite());
    EXPECT_GE(optimizer.distribution().deviations().maxCoeff(), 1e-12);
}

TEST(CmaEs, ConvergesFarBelowAnyNoiseWithoutBreaking) {
    CmaEs optimizer({}, real_genes(5, 0, 1, 0.5), 11, 0);
    SearchRun run(optimizer, [](const Genome& x) { return -distance_to(x, 0.3); });
    for (int i = 0; i < 1000; ++i) {
        run.generation();
    }
    EXPECT_GT(run.best(), -1e-20);
    EXPECT_TRUE(optimizer.distribution().state().mean.allFinite());
}

size_t median_evaluations(size_t window) {
    std::vector<size_t> needed;
    for (uint64_t seed = 1; seed <= 21; ++seed) {
        CmaEs optimizer({}, real_genes(12, 0, 1.5, 0.7), seed, 0);
        SearchRun run(
            optimizer,
            [](const Genome& x) {
                double sum = 0;
                for (size_t i = 0; i < x.size(); ++i) {
                    const double offset = x[i] - 0.4 - 0.05 * static_cast<double>(i);
                    sum -= std::pow(100.0, static_cast<double>(i) / 11.0) * offset * offset;
                }
                return sum;
            },
            window);
        needed.push_back(run.evaluations_to(-1e-6, 20000));
    }
    std::sort(needed.begin(), needed.end());
    return needed[10];
}

TEST(CmaEs, LosesLittleWhenCandidatesAreAskedForAhead) {
    const size_t strict = median_evaluations(0);
    const size_t few = median_evaluations(3);
    const size_t whole = median_evaluations(11);
    std::printf("evaluations to 1e-6, window 0: %zu, 3: %zu, 11 (a population): %zu\n", strict, few,
                whole);
    EXPECT_LT(few, strict * 12 / 10);
    EXPECT_LT(whole, strict * 17 / 10);
}

TEST(CmaEs, TakesMigrantsIn) {
    CmaEs optimizer({}, real_genes(10, 0, 2, 1), 5, 0);
    const Genome near(10, 1.1);
    const Genome far(10, 1.9);
    ASSERT_EQ(optimizer.population_size(), 10U);
    // At most a fifth of the population, the best first.
    optimizer.inject(
        std::vector<Evaluated>{{101, Genome(10, 1.2), 1}, {102, far, 3}, {103, near, 2}});
    const Individual first = optimizer.ask();
    const Individual second = optimizer.ask();
    EXPECT_EQ(first.origin, Origin::migrant);
    EXPECT_EQ(first.parents, std::vector<uint64_t>{102});
    EXPECT_EQ(second.origin, Origin::migrant);
    EXPECT_EQ(second.parents, std::vector<uint64_t>{103});
    EXPECT_EQ(optimizer.ask().origin, Origin::sample);
    // A near migrant comes as it is, a far one is moved along its direction up to the limit.
    EXPECT_EQ(second.genome, near);
    const double limit = std::sqrt(10.0) + 20.0 / 12.0;
    const double length = std::sqrt(10.0) * (first.genome[0] - 1) / 2 / (1.0 / 6.0);
    EXPECT_NEAR(length, limit, 1e-9);
    for (const double value : first.genome) {
        EXPECT_NEAR(value, first.genome[0], 1e-12);
    }
}

/// Sum over 11 seeds; every generation a migrant with all genes `migrant` arrives.
size_t evaluations_with_migrant(std::optional<double> migrant) {
    const auto fitness = [](const Genome& x) { return -distance_to(x, 0.8); };
    size_t sum = 0;
    for (uint64_t seed = 1; seed <= 11; ++seed) {
        CmaEs optimizer({}, real_genes(8, 0, 1, 0.2), seed, 0);
        SearchRun run(optimizer, fitness);
        while (run.best() < -1e-6) {
            if (migrant) {
                const Genome genome(8, *migrant);
                optimizer.inject(std::vector<Evaluated>{{9, genome, fitness(genome)}});
            }
            run.generation();
        }
        sum += run.all().size();
    }
    return sum;
}

TEST(CmaEs, AGoodMigrantHelpsAndABadOneDoesLittleHarm) {
    const size_t alone = evaluations_with_migrant(std::nullopt);
    const size_t good = evaluations_with_migrant(0.8);
    const size_t bad = evaluations_with_migrant(0.01);
    std::printf("evaluations to 1e-6: alone %zu, good migrants %zu, bad migrants %zu\n", alone / 11,
                good / 11, bad / 11);
    EXPECT_LT(good, alone / 4);
    EXPECT_LT(bad, alone * 3 / 2);
}

TEST(CmaEs, AGenerationOfFailuresTeachesNothing) {
    CmaEs optimizer({}, real_genes(4, 0, 1, 0.5), 5, 0);
    const auto before = optimizer.distribution().state();
    SearchRun run(optimizer,
                  [](const Genome&) { return -std::numeric_limits<double>::infinity(); });
    run.generation();
    EXPECT_EQ(optimizer.distribution().state().mean, before.mean);
    EXPECT_EQ(optimizer.distribution().state().sigma, before.sigma);
    EXPECT_EQ(optimizer.generation(), 1U);
}

}  // namespace
}  // namespace galapagos
