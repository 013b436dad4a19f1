#pragma once

#include <cstdint>

#include "base/random.hpp"
#include "genome/gene.hpp"

namespace galapagos {

/// The first population of a search over the whole box: a Latin hypercube, in which every real gene
/// takes one value in each of `size` equal parts of its range and every other gene takes its values
/// equally often. Point 0 is the genome of initial values instead.
///
/// Point k needs no other point, only (seed, island), so candidates can be drawn one by one.
class InitialDesign {
  public:
    InitialDesign(std::vector<Gene> genes, size_t size, uint64_t seed, uint32_t island);

    /// With `spread` > 0, and for genes that have a spread of their own: normal around the initial
    /// values with this deviation in box widths, drawn again where it leaves the box. Points from
    /// `size` on are uniform otherwise.
    Genome point(uint64_t k, double spread) const;

  private:
    double stratified_value(size_t gene_index, size_t k, RandomStream& random) const;

    std::vector<Gene> genes_;
    size_t size_;
    uint64_t seed_;
    uint32_t island_;
    std::vector<std::vector<uint32_t>> strata_;  ///< per gene: the part that point k falls in
};

}  // namespace galapagos
