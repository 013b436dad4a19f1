// Scalar products between the models (or their task vectors) of one tensor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "merge/job.hpp"

namespace galapagos {

/// Scalar products of n vectors with each other.
class Gram {
  public:
    Gram(std::size_t vectors, std::span<const double> products)
        : vectors_(vectors), products_(products) {}

    std::size_t vectors() const { return vectors_; }
    double operator()(std::size_t i, std::size_t j) const {
        return i <= j ? products_[pair(i, j)] : products_[pair(j, i)];
    }
    double norm(std::size_t i) const;

    static std::size_t pairs(std::size_t vectors) { return vectors * (vectors + 1) / 2; }

  private:
    std::size_t pair(std::size_t i, std::size_t j) const { return j * (j + 1) / 2 + i; }

    std::size_t vectors_;
    std::span<const double> products_;
};

/// Which vectors: the inputs of a job, less its base where `deltas` is set.
struct GramVectors {
    const TensorJob* job = nullptr;
    bool deltas = false;
};

/// Elements whose products are added up together, in eight sums that a total of theirs ends.
inline constexpr std::int64_t products_chunk = 64 * block_elements;

/// The products over the whole tensor, in fp64 and an order that depends on its size only.
std::vector<double> gram_products(const GramVectors& vectors);

/// The same for each row (the last dimension) or each column (all but the first dimension): the
/// products of line l begin at l * Gram::pairs(inputs).
std::vector<double> line_products(const GramVectors& vectors, bool columns);

}  // namespace galapagos
