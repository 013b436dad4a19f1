#pragma once

#include <string>
#include <vector>

#include "genome/gene.hpp"
#include "genome/search_settings.hpp"
#include "merge/recipe.hpp"

namespace galapagos {

/// What a search space must know of the models: recipes refer to them by `reference`
/// ("folder" or "folder+adapter", as in mergekit).
struct SearchModels {
    struct Source {
        std::string name;
        std::string reference;
    };
    std::string base;  ///< reference of the base model; may be empty where no method needs one
    std::vector<Source> sources;
    int num_layers = 0;
    std::vector<std::string> tensor_names;  ///< of the base (or the first source)
};

/// Maps genomes to recipes: one gene per source, parameter, layer group and module kind.
///
/// Every value that a recipe needs is either a gene or a fixed number; genes() lists only the free
/// ones. Recipes can be written as mergekit YAML: layer groups become slices with a `layer_range`,
/// module kinds become filter lists. The constructor resolves the filters for every tensor of the
/// model and throws UsageError when a gene would act on no tensor.
class SearchSpace {
  public:
    SearchSpace(const SearchSettings& search, const MergeSettings& merge, SearchModels models);

    const std::vector<Gene>& genes() const { return genes_; }

    /// The recipe of one genome. Throws Error when the genome doesn't fit genes().
    Recipe recipe(const Genome& genome) const;

    /// First layers of the groups, and the number of layers last: {0, 10, 20, 30}.
    const std::vector<int>& boundaries() const { return boundaries_; }

  private:
    std::vector<Gene> genes_;
    std::vector<int> boundaries_;
};

}  // namespace galapagos
