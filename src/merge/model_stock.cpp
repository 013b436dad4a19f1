// Model Stock (Jang et al., 2024).
#include <algorithm>
#include <cmath>

#include "merge/combination.hpp"

namespace galapagos {

std::vector<double> model_stock_gains(const Gram& gram) {
    constexpr double smallest_product = 1e-6;
    constexpr double singular = 1e-6;
    const std::size_t n = gram.vectors();
    const auto models = static_cast<double>(n);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j)
            sum += std::clamp(gram(i, j) / std::max(gram.norm(i) * gram.norm(j), smallest_product),
                              -1.0, 1.0);
    const double cosine = sum / (models * (models - 1) / 2);
    const double divisor = 1 + (models - 1) * cosine;
    const double t = std::abs(divisor) < singular ? 0 : models * cosine / divisor;
    return std::vector<double>(n, t / models);
}

}  // namespace galapagos
