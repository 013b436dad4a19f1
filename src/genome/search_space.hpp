// What a search varies, and what it makes of it.
#pragma once

#include <cstdint>
#include <memory>
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
        int num_layers = 0;
    };
    std::string base;  ///< reference of the base model; empty where no method needs one
    std::vector<Source> sources;
    int num_layers = 0;                     ///< of the base (or of the first source)
    std::vector<std::string> tensor_names;  ///< likewise
};

/// Maps genomes to recipes.
///
/// Every value that a recipe needs is either a gene or a fixed number; genes() lists only the free
/// ones.
class SearchSpace {
  public:
    virtual ~SearchSpace() = default;

    const std::vector<Gene>& genes() const { return genes_; }

    /// The recipe of a genome. Throws Error when the genome doesn't fit genes(), or is of no model.
    virtual Recipe recipe(const Genome& genome) const = 0;

    /// Recipes that all others differ from in numbers, in the methods' own settings and in the
    /// order of their layers alone.
    virtual std::vector<Recipe> forms() const = 0;

    /// Most hops of a recipe's layer path; 0: recipes have none.
    virtual std::int64_t max_hops() const { return 0; }

  protected:
    SearchSpace() = default;
    SearchSpace(const SearchSpace&) = default;
    SearchSpace& operator=(const SearchSpace&) = default;

    std::vector<Gene> genes_;
};

/// The space that `search.space` names. Throws UsageError for settings that contradict each other
/// or the models.
std::shared_ptr<const SearchSpace> make_search_space(const SearchSettings& search,
                                                     const MergeSettings& merge,
                                                     SearchModels models);

}  // namespace galapagos
