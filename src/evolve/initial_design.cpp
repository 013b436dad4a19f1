#include "evolve/initial_design.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "evolve/variation.hpp"

namespace galapagos {

namespace {

/// Streams of the candidates are numbered from 0; those of the genes' permutations lie far above.
constexpr uint64_t permutation_streams = uint64_t{1} << 62U;

std::vector<uint32_t> random_permutation(size_t size, RandomStream random) {
    std::vector<uint32_t> order(size);
    std::iota(order.begin(), order.end(), 0U);
    for (size_t i = size; i > 1; --i) {
        std::swap(order[i - 1], order[random.below(i)]);
    }
    return order;
}

double normal_inside(const Gene& gene, double deviation, RandomStream& random) {
    // At an initial value on the bound half of the draws fall outside: 64 tries all but never fail.
    for (int attempt = 0; attempt < 64; ++attempt) {
        const double value = gene.initial + deviation * random.normal();
        if (value >= gene.lower && value <= gene.upper) {
            return nearest_value(gene, value);
        }
    }
    return random_value(gene, random);
}

}  // namespace

InitialDesign::InitialDesign(std::vector<Gene> genes, size_t size, uint64_t seed, uint32_t island)
    : genes_(std::move(genes)), size_(size), seed_(seed), island_(island) {
    for (size_t i = 0; i < genes_.size(); ++i) {
        strata_.push_back(random_permutation(
            size_, RandomStream(seed_, island_, Purpose::initial, permutation_streams + i)));
    }
}

Genome InitialDesign::point(uint64_t k, double spread) const {
    if (k == 0) {
        return initial_genome(genes_);
    }
    RandomStream random(seed_, island_, Purpose::initial, k);
    if (spread <= 0.0 && k < size_) {
        return stratified_point(static_cast<size_t>(k), random);
    }
    Genome genome;
    for (const Gene& gene : genes_) {
        const bool near =
            spread > 0.0 && gene.type != GeneType::categorical && gene.type != GeneType::binary;
        genome.push_back(near ? normal_inside(gene, spread * (gene.upper - gene.lower), random)
                              : random_value(gene, random));
    }
    return genome;
}

Genome InitialDesign::stratified_point(size_t k, RandomStream& random) const {
    Genome genome;
    for (size_t i = 0; i < genes_.size(); ++i) {
        const Gene& gene = genes_[i];
        const double share =
            (static_cast<double>(strata_[i][k]) + random.uniform()) / static_cast<double>(size_);
        if (gene.type == GeneType::real) {
            genome.push_back(std::min(gene.lower + share * (gene.upper - gene.lower), gene.upper));
        } else {
            const double values = static_cast<double>(gene.cardinality());
            const double pick =
                std::min(static_cast<double>(static_cast<uint64_t>(share * values)), values - 1.0);
            genome.push_back(gene.lower + pick);
        }
    }
    return genome;
}

}  // namespace galapagos
