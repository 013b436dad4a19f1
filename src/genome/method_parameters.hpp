// Which parameters of the merge methods can be genes.
#pragma once

#include <array>
#include <string>

#include "genome/search_settings.hpp"
#include "merge/method.hpp"

namespace galapagos {

/// Parameters that can be genes.
inline constexpr std::array gene_parameters = {"weight", "density",     "t", "gamma", "epsilon",
                                               "scale",  "select_topk", "r", "alpha"};

/// Throws UsageError with the nearest name if there is no such method.
Method method_named(const std::string& name);

bool uses(Method method, const std::string& parameter);

/// Whether a parameter belongs to the method as a whole instead of to each source.
bool is_shared(Method method, const std::string& parameter);

/// Methods of a base and one other model.
bool takes_a_pair(Method method);

/// `t` and the epsilon of ram are sizes of weights or changes for these methods, not shares.
GeneRange default_range_of(Method method, const std::string& parameter);

}  // namespace galapagos
