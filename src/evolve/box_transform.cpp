#include "evolve/box_transform.hpp"

#include <algorithm>
#include <cmath>

namespace galapagos {

namespace {

/// Width of the quadratic piece inside, and of the part outside that maps onto it.
constexpr double margin = 0.05;
constexpr double period = 2.0 * (1.0 + 2.0 * margin);

}  // namespace

double into_unit_interval(double y) {
    // One period starts half-way between two mirror points below the lower bound.
    const double start = -0.5 - 2.0 * margin;
    if (y < start || y > start + period) {
        y -= period * std::floor((y - start) / period);
    }
    if (y > 1.0 + margin) {
        y -= 2.0 * (y - 1.0 - margin);
    }
    if (y < -margin) {
        y += 2.0 * (-margin - y);
    }
    if (y < margin) {
        y = (y + margin) * (y + margin) / (4.0 * margin);
    } else if (y > 1.0 - margin) {
        const double rest = y - 1.0 - margin;
        y = 1.0 - rest * rest / (4.0 * margin);
    }
    return std::clamp(y, 0.0, 1.0);
}

double from_unit_interval(double u) {
    if (u < margin) {
        return 2.0 * std::sqrt(margin * std::max(0.0, u)) - margin;
    }
    if (u > 1.0 - margin) {
        return 1.0 + margin - 2.0 * std::sqrt(margin * std::max(0.0, 1.0 - u));
    }
    return u;
}

}  // namespace galapagos
