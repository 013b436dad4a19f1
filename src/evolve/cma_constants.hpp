#pragma once

#include <cstddef>
#include <vector>

namespace galapagos {

/// Strategy constants of CMA-ES for n genes and a population, as pycma 4.5 sets them. They follow
/// Hansen's tutorial (arXiv 1604.00772, table 1) but for c_sigma (+3 for +5 in the denominator, at
/// most 1/2), c_1 (less for populations below 6) and c_mu (+1/4 in the numerator).
struct CmaConstants {
    size_t n = 0;
    size_t population = 0;        ///< lambda
    size_t mu = 0;                ///< number of positive weights
    std::vector<double> weights;  ///< best first; positive ones sum to 1, the rest is <= 0
    double mu_eff = 0.0;
    double c_sigma = 0.0, d_sigma = 0.0;
    double c_c = 0.0, c_1 = 0.0, c_mu = 0.0;
    double chi_n = 0.0;         ///< expected length of an n-dimensional standard normal vector
    size_t eigen_interval = 1;  ///< generations between eigendecompositions
};

/// 4 + floor(3 ln n).
size_t default_cma_population(size_t n);

/// Throws Error unless n >= 1 and population >= 2. Without `active` no weight is negative.
CmaConstants cma_constants(size_t n, size_t population, bool active);

}  // namespace galapagos
