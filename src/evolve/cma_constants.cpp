#include "evolve/cma_constants.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace galapagos {

namespace {

double square(double x) { return x * x; }

/// (sum w)^2 / sum w^2 over [first, last).
double effective_size(std::vector<double>::const_iterator first,
                      std::vector<double>::const_iterator last) {
    const double sum = std::accumulate(first, last, 0.0);
    const double squares = std::inner_product(first, last, first, 0.0);
    return squares > 0.0 ? sum * sum / squares : 0.0;
}

/// Positive raw weights are scaled to sum to 1, negative ones to the least of three limits:
/// no decay of C, the learning rate that mu_eff allows, positive definiteness (tutorial, eq.
/// 49-53).
void scale_weights(CmaConstants& c, bool active) {
    const auto middle = c.weights.begin() + static_cast<std::ptrdiff_t>(c.mu);
    const double positive = std::accumulate(c.weights.begin(), middle, 0.0);
    const double negative = -std::accumulate(middle, c.weights.end(), 0.0);
    const double mu_eff_minus = effective_size(middle, c.weights.end());
    const double n = static_cast<double>(c.n);
    const double limit =
        std::min({1.0 + c.c_1 / c.c_mu, 1.0 + 2.0 * mu_eff_minus / (c.mu_eff + 2.0),
                  (1.0 - c.c_1 - c.c_mu) / (n * c.c_mu)});
    const double scale = active && negative > 0.0 && c.c_mu > 0.0 ? limit / negative : 0.0;
    for (auto w = c.weights.begin(); w != c.weights.end(); ++w) {
        *w *= w < middle ? 1.0 / positive : scale;
    }
}

}  // namespace

size_t default_cma_population(size_t n) {
    return 4 + static_cast<size_t>(3.0 * std::log(static_cast<double>(n)));
}

CmaConstants cma_constants(size_t n, size_t population, bool active) {
    if (n < 1 || population < 2) {
        throw Error("CMA-ES can't be set up",
                    "it has " + std::to_string(n) + " genes and a population of " +
                        std::to_string(population),
                    "give it at least one gene and a population of 2 or more");
    }
    CmaConstants c;
    c.n = n;
    c.population = population;
    const double dim = static_cast<double>(n);
    const double lambda = static_cast<double>(population);
    for (size_t i = 1; i <= population; ++i) {
        c.weights.push_back(std::log((lambda + 1.0) / 2.0) - std::log(static_cast<double>(i)));
    }
    c.mu = static_cast<size_t>(
        std::count_if(c.weights.begin(), c.weights.end(), [](double w) { return w > 0.0; }));
    c.mu_eff =
        effective_size(c.weights.begin(), c.weights.begin() + static_cast<std::ptrdiff_t>(c.mu));

    c.c_sigma = std::min(0.5, (c.mu_eff + 2.0) / (dim + c.mu_eff + 3.0));
    c.d_sigma =
        1.0 + 2.0 * std::max(0.0, std::sqrt((c.mu_eff - 1.0) / (dim + 1.0)) - 1.0) + c.c_sigma;
    c.c_c = (4.0 + c.mu_eff / dim) / (dim + 4.0 + 2.0 * c.mu_eff / dim);
    c.c_1 = std::min(1.0, lambda / 6.0) * 2.0 / (square(dim + 1.3) + c.mu_eff);
    c.c_mu = std::min(1.0 - c.c_1, 2.0 * (0.25 + c.mu_eff - 2.0 + 1.0 / c.mu_eff) /
                                       (square(dim + 2.0) + c.mu_eff));
    c.chi_n = std::sqrt(dim) * (1.0 - 1.0 / (4.0 * dim) + 1.0 / (21.0 * dim * dim));
    // C changes little in so few generations, and its decomposition costs O(n^3).
    c.eigen_interval =
        std::max<size_t>(1, static_cast<size_t>(1.0 / (10.0 * dim * (c.c_1 + c.c_mu))));
    scale_weights(c, active);
    return c;
}

}  // namespace galapagos
