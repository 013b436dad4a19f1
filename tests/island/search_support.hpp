// A search that needs no model: genomes scored by a formula.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "evolve/optimizer.hpp"
#include "evolve/optimizer_settings.hpp"
#include "island/island_search.hpp"

namespace galapagos::testing {

inline std::vector<Gene> mixed_genes() {
    return {Gene::real("a", 0, 1, 0.5), Gene::real("b", -1, 1, 0), Gene::integer("c", 0, 3, 1),
            Gene::categorical("d", {"x", "y"})};
}

inline double formula(const Genome& genome) {
    double fitness = 0;
    for (std::size_t i = 0; i < genome.size(); ++i)
        fitness -= (genome[i] - 0.3) * (genome[i] - 0.3);
    return fitness;
}

inline std::unique_ptr<Optimizer> make_ga(std::uint64_t seed, int island,
                                          std::size_t population = 6) {
    OptimizerSettings settings;
    settings.kind = OptimizerKind::ga;
    settings.population = population;
    return make_optimizer(settings, mixed_genes(), seed, static_cast<std::uint32_t>(island));
}

inline IslandSearchSettings search_settings(int island, int islands, std::int64_t generations) {
    IslandSearchSettings settings;
    settings.island = island;
    settings.islands = islands;
    settings.seed = 5;
    settings.budget.generations = generations;
    settings.migration.interval = 2;
    if (islands > 1) {
        settings.targets = {(island + 1) % islands};
        settings.sources = {(island + islands - 1) % islands};
    }
    return settings;
}

inline CandidateResult score(const Candidate& candidate) {
    CandidateResult result;
    result.id = candidate.id;
    result.fitness = formula(candidate.genome);
    result.scores = {result.fitness};
    result.answers = {{}};
    return result;
}

}  // namespace galapagos::testing
