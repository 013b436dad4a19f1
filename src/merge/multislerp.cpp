// Interpolation between any number of models on a sphere (Goddard, "Multi-SLERP"). All vectors stay
// in the span of the models, so they are worked out as factors of these.
#include <cmath>

#include "base/error.hpp"
#include "merge/combination.hpp"

namespace galapagos {

namespace {

/// Scalar product of a combination with vector i.
double product(const Gram& gram, const std::vector<double>& factors, std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < factors.size(); ++j) sum += factors[j] * gram(j, i);
    return sum;
}

double norm(const Gram& gram, const std::vector<double>& factors) {
    double sum = 0;
    for (std::size_t i = 0; i < factors.size(); ++i) sum += factors[i] * product(gram, factors, i);
    return std::sqrt(std::max(sum, 0.0));
}

}  // namespace

std::vector<double> multislerp_gains(const Gram& gram, std::span<const double> weights,
                                     double eps) {
    const std::size_t n = gram.vectors();
    if (n == 1) return {1};
    std::vector<double> unit(n), mean(n);
    double mean_norm_of_inputs = 0;
    for (std::size_t i = 0; i < n; ++i) {
        unit[i] = 1 / (gram.norm(i) + eps);
        mean[i] = weights[i] * unit[i];
        mean_norm_of_inputs += weights[i] * gram.norm(i);
    }
    const double length = norm(gram, mean);
    if (length < eps) {
        if (n == 2) return {weights[0], weights[1]};
        throw Error("multislerp has no result", "the weighted directions of the models cancel out",
                    "change the weights");
    }
    double along = 0;
    for (double& factor : mean) factor /= length;
    for (std::size_t i = 0; i < n; ++i) along += weights[i] * unit[i] * product(gram, mean, i);
    std::vector<double> tangent(n);
    for (std::size_t i = 0; i < n; ++i) tangent[i] = weights[i] * unit[i] - along * mean[i];
    const double angle = norm(gram, tangent) + eps;
    std::vector<double> gains(n);
    for (std::size_t i = 0; i < n; ++i)
        gains[i] = (std::cos(angle) * mean[i] + std::sin(angle) / angle * tangent[i]) *
                   mean_norm_of_inputs;
    return gains;
}

}  // namespace galapagos
