// The parameters of a recipe, evaluated for one output tensor.
#pragma once

#include "merge/plan.hpp"
#include "merge/plan_slices.hpp"

namespace galapagos {

/// Weight, density and their like of input number `i` of the slice, whose tensor is known, at
/// relative depth `t`. Throws UsageError for a missing weight, Error for values out of range.
void set_input_parameters(MergeInput& input, const Recipe& recipe, const ResolvedSlice& slice,
                          std::size_t i, double t);

/// What holds for the tensor as a whole, whose inputs are there. Throws UsageError for a missing
/// parameter, Error for weights that can't be normalized.
void set_shared_parameters(TensorMerge& tensor, const Recipe& recipe, const ResolvedSlice& slice,
                           double t);

}  // namespace galapagos
