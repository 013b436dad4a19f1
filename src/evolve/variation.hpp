#pragma once

#include <span>

#include "base/random.hpp"
#include "genome/gene.hpp"

namespace galapagos {

/// Real or integer.
bool is_number(const Gene& gene);

/// A value drawn uniformly from the gene's range.
double random_value(const Gene& gene, RandomStream& random);

/// A value drawn around the initial one: a number normally, with this deviation in box widths, and
/// again where it leaves the box; a binary gene flips with this probability.
double value_around(const Gene& gene, double spread, RandomStream& random);

/// `value` moved to the nearest value that the gene can take.
double nearest_value(const Gene& gene, double value);

/// One child of two parents. Real and integer genes: bounded simulated binary crossover (Deb and
/// Agrawal 1995, bounds as in Deb's NSGA-II code), each gene with probability 1/2, the rest from
/// the first parent. Categorical and binary genes: uniform crossover.
Genome crossover(std::span<const Gene> genes, const Genome& first, const Genome& second, double eta,
                 RandomStream& random);

/// Changes each gene that is active in the genome with probability `rate`: real genes by bounded
/// polynomial mutation (Deb and Goyal 1996), integers likewise but by one step at least,
/// categorical and binary genes to another value. With `at_least_one` some gene is changed in any
/// case. Returns whether any was.
bool mutate(std::span<const Gene> genes, Genome& genome, double rate, double eta, bool at_least_one,
            RandomStream& random);

/// Draws one active gene of `genome` afresh.
void reset_one_gene(std::span<const Gene> genes, Genome& genome, RandomStream& random);

}  // namespace galapagos
