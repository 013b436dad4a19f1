// Spherical interpolation between two models (Shoemake, 1985), each tensor as one long vector.
#pragma once

#include <cstdint>

#include "merge/job.hpp"

namespace galapagos {

/// Norms and scalar product of two tensors.
struct PairStatistics {
    double norm_a = 0;
    double norm_b = 0;
    double cosine = 0;  ///< in [-1, 1]; a norm of (almost) zero counts as one
};

struct PairProducts {
    double aa = 0;
    double bb = 0;
    double ab = 0;
};

/// Computed in fp64 in an order that depends on `count` only, by all threads.
PairProducts pair_products(const StoredTensor& a, const StoredTensor& b, std::int64_t count);

PairStatistics pair_statistics(const PairProducts& products);

struct SlerpCoefficients {
    double a = 1;
    double b = 0;
};

/// result = a * A + b * B. Linear where the vectors are almost parallel (|cosine| > 0.9995), as
/// mergekit does it.
SlerpCoefficients slerp_coefficients(const PairStatistics& statistics, double t);

}  // namespace galapagos
