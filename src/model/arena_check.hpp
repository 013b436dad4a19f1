#pragma once

#include <vector>

#include "weights/arena.hpp"

namespace galapagos {

/// Throws Error unless the arena holds these tensors, with their types and shapes.
void check_arena(const Arena& arena, const std::vector<TensorSpec>& expected);

}  // namespace galapagos
