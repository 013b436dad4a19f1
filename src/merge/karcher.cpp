// The Karcher (Riemannian) mean of the models' directions: the point of the sphere from which the
// tangents towards all of them cancel. It stays in their span and is worked out as factors of them.
#include <algorithm>
#include <cmath>

#include "merge/combination.hpp"

namespace galapagos {

namespace {

/// Directions that are left, and products between them.
struct Directions {
    std::vector<std::size_t> source;
    std::vector<double> products;

    std::size_t size() const { return source.size(); }
    double product(const std::vector<double>& factors, std::size_t i) const {
        double sum = 0;
        for (std::size_t j = 0; j < size(); ++j) sum += factors[j] * products[i * size() + j];
        return sum;
    }
    double norm(const std::vector<double>& factors) const {
        double sum = 0;
        for (std::size_t i = 0; i < size(); ++i) sum += factors[i] * product(factors, i);
        return std::sqrt(std::max(sum, 0.0));
    }
};

Directions directions_of(const Gram& gram, double tol) {
    Directions result;
    for (std::size_t i = 0; i < gram.vectors(); ++i)
        if (gram.norm(i) > tol) result.source.push_back(i);
    for (const std::size_t i : result.source)
        for (const std::size_t j : result.source)
            result.products.push_back(i == j ? 1 : gram(i, j) / (gram.norm(i) * gram.norm(j)));
    return result;
}

void scale(std::vector<double>& factors, double by) {
    for (double& factor : factors) factor *= by;
}

/// The mean direction, as factors of the directions.
std::vector<double> mean_direction(const Directions& units, int max_iter, double tol) {
    const double share = 1 / static_cast<double>(units.size());
    std::vector<double> mean(units.size(), share);
    const double start = units.norm(mean);
    if (start < tol) {
        std::fill(mean.begin(), mean.end(), 0.0);
        mean[0] = 1;
    } else {
        scale(mean, 1 / start);
    }
    for (int step = 0; step < max_iter; ++step) {
        std::vector<double> tangent(units.size());
        for (std::size_t i = 0; i < units.size(); ++i) {
            const double cosine = std::clamp(units.product(mean, i), -1.0, 1.0);
            const double angle = std::acos(cosine);
            if (angle < tol) continue;
            const double factor = share * angle / std::sin(angle);
            for (std::size_t j = 0; j < units.size(); ++j) tangent[j] -= factor * cosine * mean[j];
            tangent[i] += factor;
        }
        const double length = units.norm(tangent);
        if (length < tol) break;
        for (std::size_t i = 0; i < units.size(); ++i)
            mean[i] = std::cos(length) * mean[i] + std::sin(length) / length * tangent[i];
        const double norm = units.norm(mean);
        if (norm > tol) scale(mean, 1 / norm);
    }
    return mean;
}

}  // namespace

std::vector<double> karcher_gains(const Gram& gram, int max_iter, double tol) {
    const std::size_t n = gram.vectors();
    if (n == 1) return {1};
    std::vector<double> gains(n);
    const Directions units = directions_of(gram, tol);
    if (units.size() == 0) return gains;
    double mean_norm = 0;
    for (std::size_t i = 0; i < n; ++i) mean_norm += gram.norm(i) / static_cast<double>(n);
    const std::vector<double> mean = mean_direction(units, max_iter, tol);
    for (std::size_t i = 0; i < units.size(); ++i)
        gains[units.source[i]] = mean[i] / gram.norm(units.source[i]) * mean_norm;
    return gains;
}

}  // namespace galapagos
