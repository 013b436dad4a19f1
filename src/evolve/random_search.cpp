#include "evolve/random_search.hpp"

#include "evolve/variation.hpp"

namespace galapagos {

namespace {

size_t population_of(const OptimizerSettings& settings) {
    return settings.population > 0 ? settings.population : 16;
}

}  // namespace

RandomSearch::RandomSearch(const OptimizerSettings& settings, const std::vector<Gene>& genes,
                           uint64_t seed, uint32_t island)
    : OptimizerBase(genes, population_of(settings), seed, island,
                    EliteArchive(population_of(settings), EliteArchive::Ties::older)) {}

Individual RandomSearch::draw(uint64_t k) {
    Individual candidate;
    if (k == 0) {
        candidate.genome = initial_genome(genes());
        return candidate;
    }
    candidate.origin = Origin::sample;
    RandomStream random = stream(Purpose::sampling, k);
    for (const Gene& gene : genes()) {
        candidate.genome.push_back(gene.spread > 0.0 ? value_around(gene, gene.spread, random)
                                                     : random_value(gene, random));
    }
    return candidate;
}

void RandomSearch::learn(std::span<const Evaluated>) {}

void RandomSearch::inject(std::span<const Evaluated> migrants) {
    for (const Evaluated& migrant : migrants) {
        check_genome(genes(), migrant.genome);
    }
}

Diagnostics RandomSearch::diagnostics() const {
    return {{"diversity", diversity(archive().members(), genes())}, {"accepted", accepted()}};
}

nlohmann::json RandomSearch::save_own() const { return nlohmann::json::object(); }

void RandomSearch::load_own(const nlohmann::json&) {}

}  // namespace galapagos
