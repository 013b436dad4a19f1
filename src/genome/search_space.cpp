#include "genome/search_space.hpp"

#include <utility>

#include "genome/parameter_space.hpp"
#include "genome/path_space.hpp"

namespace galapagos {

std::shared_ptr<const SearchSpace> make_search_space(const SearchSettings& search,
                                                     const MergeSettings& merge,
                                                     SearchModels models) {
    if (search.space == SearchSettings::Space::dfs)
        return std::make_shared<PathSpace>(search, merge, std::move(models));
    return std::make_shared<ParameterSpace>(search, merge, std::move(models));
}

}  // namespace galapagos
