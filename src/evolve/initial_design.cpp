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

/// A gene's own spread counts unless numbers are given another.
double spread_of(const Gene& gene, double wanted) {
    return is_number(gene) && wanted > 0.0 ? wanted : gene.spread;
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
    Genome genome;
    for (size_t i = 0; i < genes_.size(); ++i) {
        const Gene& gene = genes_[i];
        if (const double deviation = spread_of(gene, spread); deviation > 0.0) {
            genome.push_back(value_around(gene, deviation, random));
        } else {
            const bool stratified = spread <= 0.0 && k < size_;
            genome.push_back(stratified ? stratified_value(i, static_cast<size_t>(k), random)
                                        : random_value(gene, random));
        }
    }
    return genome;
}

double InitialDesign::stratified_value(size_t gene_index, size_t k, RandomStream& random) const {
    const Gene& gene = genes_[gene_index];
    const double share = (static_cast<double>(strata_[gene_index][k]) + random.uniform()) /
                         static_cast<double>(size_);
    if (gene.type == GeneType::real) {
        return std::min(gene.lower + share * (gene.upper - gene.lower), gene.upper);
    }
    const double values = static_cast<double>(gene.cardinality());
    const double pick =
        std::min(static_cast<double>(static_cast<uint64_t>(share * values)), values - 1.0);
    return gene.lower + pick;
}

}  // namespace galapagos
