// Methods whose result is a combination of the models with factors that follow from their scalar
// products: result = sum of gains[i] * x[i] (+ base), x[i] the models or their task vectors.
#pragma once

#include <span>
#include <vector>

#include "merge/gram.hpp"

namespace galapagos {

/// Interpolation on a sphere between two vectors; straight where they are parallel.
std::vector<double> nuslerp_gains(const Gram& gram, double t);

/// Barycentric interpolation on a sphere. `weights` as they are used (normalised or not).
/// Throws Error if the weighted sum of three or more directions vanishes.
std::vector<double> multislerp_gains(const Gram& gram, std::span<const double> weights, double eps);

/// Equally weighted Karcher mean of the directions, times the mean norm.
std::vector<double> karcher_gains(const Gram& gram, int max_iter, double tol);

/// Model Stock: how far to go from the base to the mean follows from the angles between the task
/// vectors (Jang et al., 2024).
std::vector<double> model_stock_gains(const Gram& gram);

}  // namespace galapagos
