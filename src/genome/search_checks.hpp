// What a search asks for, held against the models and the merge methods.
#pragma once

#include "genome/search_space.hpp"

namespace galapagos {

/// Throws UsageError for two sources of one name, unknown sources and more groups than layers.
void check_settings(const SearchSettings& search, const SearchModels& models);

/// Throws UsageError for settings of layer paths that the models can't follow, and for settings of
/// the parameter space beside them, which would have no effect.
void check_path_settings(const SearchSettings& search, const MergeSettings& merge,
                         const SearchModels& models);

/// Throws UsageError for methods that can't be searched together or that need other models.
void check_methods(const MergeSettings& merge, const SearchModels& models);

/// The ranges that no merge method of the search has a use for, as "search.genes.density". They
/// stay when one tries another method, so they are no error.
std::vector<std::string> unused_ranges(const SearchSettings& search, const MergeSettings& merge);

/// Whether the method's recipes have a base model beside the sources.
bool merges_onto_base(Method method, const SearchModels& models);

}  // namespace galapagos
