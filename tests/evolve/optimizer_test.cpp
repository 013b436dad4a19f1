// What every optimiser promises.
#include "evolve/optimizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.hpp"
#include "evolve/optimizer_settings.hpp"
#include "evolve/search_run.hpp"

namespace galapagos {
namespace {

const double nan = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();

class EveryOptimizer : public ::testing::TestWithParam<OptimizerKind> {
  protected:
    static std::vector<Gene> genes() {
        return GetParam() == OptimizerKind::cma_es ? real_genes(6, 0, 1.5, 0.7) : mixed_genes();
    }
    static double fitness(const Genome& x) {
        if (GetParam() != OptimizerKind::cma_es) {
            return mixed_fitness(x);
        }
        double sum = 0;
        for (size_t i = 0; i < x.size(); ++i) {
            sum -= (x[i] - 0.1 * static_cast<double>(i)) * (x[i] - 0.1 * static_cast<double>(i));
        }
        return sum;
    }
    static std::unique_ptr<Optimizer> make(uint64_t seed = 1, uint32_t island = 0) {
        OptimizerSettings settings;
        settings.kind = GetParam();
        return make_optimizer(settings, genes(), seed, island);
    }
    static std::vector<Genome> genomes(const SearchRun& run) {
        std::vector<Genome> list;
        for (const Individual& individual : run.all()) {
            list.push_back(individual.genome);
        }
        return list;
    }
};

TEST_P(EveryOptimizer, DependsOnSeedAndIslandAlone) {
    const auto candidates = [](uint64_t seed, uint32_t island) {
        const auto optimizer = make(seed, island);
        SearchRun run(*optimizer, fitness, 3);
        for (int i = 0; i < 5; ++i) {
            run.generation();
        }
        return genomes(run);
    };
    EXPECT_EQ(candidates(1, 0), candidates(1, 0));
    EXPECT_NE(candidates(1, 0), candidates(2, 0));
    EXPECT_NE(candidates(1, 0), candidates(1, 1));
}

TEST_P(EveryOptimizer, GivesGenomesThatFit) {
    const auto optimizer = make();
    const std::vector<Gene> space = genes();
    SearchRun run(*optimizer, fitness, 5);
    for (int i = 0; i < 30; ++i) {
        run.generation();
    }
    for (const Individual& individual : run.all()) {
        ASSERT_NO_THROW(check_genome(space, individual.genome));
    }
    EXPECT_EQ(optimizer->asked(), run.all().size());
    EXPECT_EQ(optimizer->generation(), 30U);
}

TEST_P(EveryOptimizer, ResumesBitForBitWithCandidatesOutstanding) {
    const size_t window = 4;
    const auto whole = make();
    SearchRun uninterrupted(*whole, fitness, window);
    for (int i = 0; i < 12; ++i) {
        uninterrupted.generation();
    }
    // The same search, saved and loaded as text after every generation. The candidates that were
    // outstanding are evaluated again by the new run, so it begins by asking for nothing new.
    auto optimizer = make();
    std::vector<Individual> all;
    std::deque<Evaluated> waiting;
    for (int i = 0; i < 12; ++i) {
        while (waiting.size() < optimizer->population_size() + window) {
            all.push_back(optimizer->ask());
            waiting.push_back({all.size() - 1, all.back().genome, fitness(all.back().genome)});
        }
        std::vector<Evaluated> batch(
            waiting.begin(),
            waiting.begin() + static_cast<std::ptrdiff_t>(optimizer->population_size()));
        waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(batch.size()));
        optimizer->tell(batch);
        optimizer->inject(std::vector<Evaluated>{});
        const std::string saved = optimizer->save().dump();
        optimizer = make();
        optimizer->load(nlohmann::json::parse(saved));
        EXPECT_EQ(optimizer->save().dump(), saved);
    }
    ASSERT_EQ(all.size(), uninterrupted.all().size());
    for (size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(all[i].genome, uninterrupted.all()[i].genome) << i;
        ASSERT_EQ(all[i].origin, uninterrupted.all()[i].origin) << i;
        ASSERT_EQ(all[i].parents, uninterrupted.all()[i].parents) << i;
    }
}

TEST_P(EveryOptimizer, RefusesAStateOfAnother) {
    const auto saved = make(1, 0)->save();
    EXPECT_NO_THROW(make(1, 0)->load(saved));
    EXPECT_THROW(make(2, 0)->load(saved), Error);
    EXPECT_THROW(make(1, 1)->load(saved), Error);
    EXPECT_THROW(make(1, 0)->load(nlohmann::json::object()), Error);
    auto damaged = saved;
    damaged["own"] = nlohmann::json::array();
    damaged["archive"] = "gone";
    EXPECT_THROW(make(1, 0)->load(damaged), Error);
}

TEST_P(EveryOptimizer, RefusesResultsOutOfOrder) {
    const auto optimizer = make();
    EXPECT_THROW(optimizer->tell({}), Error);
    std::vector<Evaluated> batch;
    for (size_t i = 0; i < optimizer->population_size(); ++i) {
        batch.push_back({i, optimizer->ask().genome, 0.0});
    }
    EXPECT_THROW(optimizer->tell(std::span(batch).first(batch.size() - 1)), Error);
    std::swap(batch[0], batch[1]);
    EXPECT_THROW(optimizer->tell(batch), Error);
    std::swap(batch[0], batch[1]);
    EXPECT_NO_THROW(optimizer->tell(batch));
    EXPECT_THROW(optimizer->tell(batch), Error);
}

TEST_P(EveryOptimizer, GoesOnWhenCandidatesFail) {
    const auto optimizer = make();
    int count = 0;
    SearchRun run(*optimizer, [&](const Genome& x) {
        ++count;
        // Two generations in which all fail, then every third candidate.
        const auto two = static_cast<int>(2 * optimizer->population_size());
        if (count <= two || count % 3 == 0) {
            return count % 2 == 0 ? nan : -infinity;
        }
        return fitness(x);
    });
    run.generation();
    run.generation();
    EXPECT_TRUE(optimizer->elites(5).empty());
    for (int i = 0; i < 20; ++i) {
        run.generation();
    }
    EXPECT_GT(run.best(), -infinity);
    ASSERT_FALSE(optimizer->elites(5).empty());
    for (const Evaluated& elite : optimizer->elites(100)) {
        EXPECT_TRUE(std::isfinite(elite.fitness));
    }
}

TEST_P(EveryOptimizer, KeepsItsBest) {
    const auto optimizer = make();
    SearchRun run(*optimizer, fitness, 2);
    std::vector<std::string> names;
    for (int i = 0; i < 15; ++i) {
        run.generation();
        std::vector<std::string> present;
        for (const auto& [name, value] : optimizer->diagnostics()) {
            EXPECT_TRUE(std::isfinite(value)) << name;
            present.push_back(name);
        }
        EXPECT_TRUE(i == 0 || present == names);
        names = present;
    }
    const auto elites = optimizer->elites(4);
    ASSERT_EQ(elites.size(), 4U);
    // The window's candidates may be better but haven't been told.
    double best_told = -infinity;
    for (size_t i = 0; i + 2 < run.all().size(); ++i) {
        best_told = std::max(best_told, fitness(run.all()[i].genome));
    }
    EXPECT_EQ(elites[0].fitness, best_told);
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(elites[i].genome, run.all()[elites[i].id].genome);
        EXPECT_EQ(elites[i].fitness, fitness(elites[i].genome));
        EXPECT_TRUE(i == 0 || elites[i].fitness <= elites[i - 1].fitness);
        EXPECT_TRUE(i == 0 || elites[i].genome != elites[i - 1].genome);
    }
}

TEST_P(EveryOptimizer, RefusesMigrantsOfAnotherSpace) {
    const auto optimizer = make();
    EXPECT_THROW(optimizer->inject(std::vector<Evaluated>{{1, {0.5}, 1.0}}), Error);
}

std::string print_kind(const ::testing::TestParamInfo<OptimizerKind>& info) {
    const char* names[] = {"Ga", "CmaEs", "Random"};
    return names[static_cast<size_t>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(All, EveryOptimizer,
                         ::testing::Values(OptimizerKind::ga, OptimizerKind::cma_es,
                                           OptimizerKind::random),
                         print_kind);

TEST(MakeOptimizer, RefusesWhatItCannotSearch) {
    OptimizerSettings settings;
    EXPECT_THROW(make_optimizer(settings, {}, 1, 0), UsageError);
    EXPECT_THROW(make_optimizer(settings, {Gene::real("a", 1, 0, 0.5)}, 1, 0), UsageError);
    settings.kind = OptimizerKind::cma_es;
    try {
        make_optimizer(settings, mixed_genes(), 1, 0);
        FAIL() << "integer genes were accepted";
    } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("gene c is integer"));
    }
}

TEST(OptimizerOptions, AreReadAndWrittenBack) {
    OptimizerSettings settings;
    const VisitOptions visit = [&](OptionVisitor& visitor) { visit_options(visitor, settings); };
    read_options(YamlReader::from_text("{name: cma_es, population: 12, sigma: 0.25}", "test"),
                 visit);
    EXPECT_EQ(settings.kind, OptimizerKind::cma_es);
    EXPECT_EQ(settings.population, 12U);
    EXPECT_EQ(settings.sigma, 0.25);
    EXPECT_EQ(write_options(visit)["name"].as<std::string>(), "cma_es");
    EXPECT_THROW(read_options(YamlReader::from_text("{popsize: 12}", "test"), visit), UsageError);
    EXPECT_THROW(read_options(YamlReader::from_text("{sigma: 0.9}", "test"), visit), UsageError);
    EXPECT_THROW(read_options(YamlReader::from_text("{name: cmaes}", "test"), visit), UsageError);
}

}  // namespace
}  // namespace galapagos
