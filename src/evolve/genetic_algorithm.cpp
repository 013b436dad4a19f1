#include "evolve/genetic_algorithm.hpp"

#include <algorithm>

#include "evolve/cma_constants.hpp"
#include "evolve/variation.hpp"

namespace galapagos {

namespace {

/// Attempts at a genome that is neither in the population nor outstanding: first by new offspring,
/// then by resetting genes. A search space of few values may have no new genome left.
constexpr int offspring_attempts = 8;
constexpr int reset_attempts = 32;

size_t population_of(const OptimizerSettings& settings, size_t genes) {
    return settings.population > 0 ? settings.population : 2 * default_cma_population(genes);
}

double mutation_rate_of(const OptimizerSettings& settings, size_t genes) {
    return settings.mutation_rate > 0.0 ? settings.mutation_rate
                                        : std::min(0.5, 1.0 / static_cast<double>(genes));
}

}  // namespace

GeneticAlgorithm::GeneticAlgorithm(const OptimizerSettings& settings,
                                   const std::vector<Gene>& genes, uint64_t seed, uint32_t island)
    : OptimizerBase(genes, population_of(settings, genes.size()), seed, island,
                    EliteArchive(population_of(settings, genes.size()), EliteArchive::Ties::newer)),
      settings_(settings),
      design_(genes, population_of(settings, genes.size()), seed, island) {
    settings_.mutation_rate = mutation_rate_of(settings, genes.size());
}

Individual GeneticAlgorithm::draw(uint64_t k) {
    if (k < population_size() || archive().members().empty()) {
        Individual first;
        first.genome = design_.point(k, settings_.initial_spread);
        return first;
    }
    RandomStream random = stream(Purpose::variation, k);
    Individual child;
    for (int attempt = 0; attempt < offspring_attempts; ++attempt) {
        child = offspring(random);
        if (!is_duplicate(child.genome)) {
            return child;
        }
    }
    child.origin = Origin::reset;
    ++resets_;
    for (int attempt = 0; attempt < reset_attempts && is_duplicate(child.genome); ++attempt) {
        reset_one_gene(genes(), child.genome, random);
    }
    return child;
}

Individual GeneticAlgorithm::offspring(RandomStream& random) const {
    const Evaluated& first = tournament(random);
    const Evaluated& second = tournament(random);
    const bool cross = random.uniform() < settings_.crossover_rate && first.genome != second.genome;
    Individual child;
    if (cross) {
        child.origin = Origin::crossover;
        child.parents = {first.id, second.id};
        child.genome =
            crossover(genes(), first.genome, second.genome, settings_.crossover_eta, random);
    } else {
        child.origin = Origin::mutation;
        child.parents = {first.id};
        child.genome = first.genome;
    }
    mutate(genes(), child.genome, settings_.mutation_rate, settings_.mutation_eta, !cross, random);
    return child;
}

const Evaluated& GeneticAlgorithm::tournament(RandomStream& random) const {
    // Members are ranked, so the lowest index wins.
    size_t winner = archive().members().size();
    for (size_t i = 0; i < settings_.tournament; ++i) {
        winner = std::min<size_t>(winner, random.below(archive().members().size()));
    }
    return archive().members()[winner];
}

bool GeneticAlgorithm::is_duplicate(const Genome& genome) const {
    return archive().contains(genome) ||
           std::find(outstanding().begin(), outstanding().end(), genome) != outstanding().end();
}

void GeneticAlgorithm::learn(std::span<const Evaluated>) {
    // The population is the archive, which the base has updated.
}

void GeneticAlgorithm::inject(std::span<const Evaluated> migrants) {
    for (const Evaluated& migrant : migrants) {
        check_genome(genes(), migrant.genome);
        archive().insert(migrant);
    }
}

Diagnostics GeneticAlgorithm::diagnostics() const {
    return {{"diversity", diversity(archive().members(), genes())},
            {"accepted", accepted()},
            {"resets", static_cast<double>(resets_)}};
}

nlohmann::json GeneticAlgorithm::save_own() const { return {{"resets", resets_}}; }

void GeneticAlgorithm::load_own(const nlohmann::json& state) {
    resets_ = state.at("resets").get<uint64_t>();
}

}  // namespace galapagos
