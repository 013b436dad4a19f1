#include "evolve/optimizer.hpp"

#include "base/error.hpp"
#include "evolve/cma_es.hpp"
#include "evolve/genetic_algorithm.hpp"
#include "evolve/optimizer_settings.hpp"
#include "evolve/random_search.hpp"

namespace galapagos {

const char* name_of(Origin origin) {
    switch (origin) {
        case Origin::initial:
            return "initial";
        case Origin::crossover:
            return "crossover";
        case Origin::mutation:
            return "mutation";
        case Origin::sample:
            return "sample";
        case Origin::migrant:
            return "migrant";
        case Origin::reset:
            return "reset";
    }
    return "unknown";
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings,
                                          const std::vector<Gene>& genes, uint64_t seed,
                                          uint32_t island) {
    if (genes.empty()) {
        throw UsageError("there is nothing to search", "every value of the recipe is fixed",
                         "give a range to weight in search.genes");
    }
    check_genes(genes);
    switch (settings.kind) {
        case OptimizerKind::ga:
            return std::make_unique<GeneticAlgorithm>(settings, genes, seed, island);
        case OptimizerKind::cma_es:
            return std::make_unique<CmaEs>(settings, genes, seed, island);
        case OptimizerKind::random:
            return std::make_unique<RandomSearch>(settings, genes, seed, island);
    }
    throw UsageError("there is no such optimizer");
}

}  // namespace galapagos
