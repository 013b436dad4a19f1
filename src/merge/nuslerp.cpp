// Spherical interpolation with two weights, of models or of task vectors.
#include <algorithm>
#include <cmath>

#include "merge/combination.hpp"

namespace galapagos {

std::vector<double> nuslerp_gains(const Gram& gram, double t) {
    constexpr double smallest_norm = 1e-7;
    constexpr double parallel = 1e-16;
    const double product =
        std::max(gram.norm(0), smallest_norm) * std::max(gram.norm(1), smallest_norm);
    const double cosine = std::clamp(gram(0, 1) / product, -1.0, 1.0);
    if (1 - cosine * cosine <= parallel) return {1 - t, t};
    const double angle = std::acos(cosine);
    const double sine = std::sin(angle);
    return {std::sin((1 - t) * angle) / sine, std::sin(t * angle) / sine};
}

}  // namespace galapagos
