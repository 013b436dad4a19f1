#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "genome/search_settings.hpp"
#include "genome/search_space.hpp"

namespace galapagos {

/// The parameter space: a gene for each source, parameter, layer group and module kind.
///
/// Every value that a recipe needs is either a gene or a fixed number; genes() lists only the free
/// ones. Recipes can be written as mergekit YAML: layer groups become slices with a `layer_range`,
/// module kinds become filter lists. A gene is made only where its filter reaches a tensor of its
/// group, so that no gene is without effect on all methods.
///
/// slerp, nearswap and arcee_fusion merge two models: the base and one source, or two sources of
/// which the first takes the base's place. Methods that can do with or without a base (nuslerp,
/// multislerp) use the base if there is one. A parameter of the method as a whole (`t`,
/// `select_topk`, `r`, `alpha`, the `epsilon` of ram) has a gene for each group and kind. A
/// genome's `epsilon` for della is lowered where density - epsilon or density + epsilon would be no
/// probability.
///
/// With `smooth` there are points in place of groups, evenly from the first to the last layer, and
/// a layer's values lie on the line between those of the points beside it: mergekit's gradients, in
/// a recipe without slices. What stands outside the layers has the values of the first point, as in
/// mergekit, and a kind that no layer has (embeddings, head) one value.
class ParameterSpace final : public SearchSpace {
  public:
    /// Throws UsageError for settings that contradict each other or the models.
    ParameterSpace(const SearchSettings& search, const MergeSettings& merge, SearchModels models);

    Recipe recipe(const Genome& genome) const override;
    /// A recipe of each method.
    std::vector<Recipe> forms() const override;

    /// First layers of the groups, and the number of layers at the end: {0, 10, 20, 30}.
    const std::vector<int>& boundaries() const { return boundaries_; }

  private:
    /// A value of a recipe: a fixed number, or where it stands in the genome.
    struct Value {
        double fixed = 0.0;
        int gene = -1;
        double in(const Genome& genome) const {
            return gene < 0 ? fixed : genome[static_cast<size_t>(gene)];
        }
    };
    /// One parameter of one source in one layer group: for each kind of module a value, or values
    /// from the first to the last layer.
    struct Cell {
        std::string parameter;
        size_t source = 0;
        bool shared = false;  ///< of the whole method, not of one source
        int group = 0;
        std::vector<std::pair<ModuleKind, std::vector<Value>>> values;
    };
    /// A setting of the whole recipe that may be picked by a gene.
    struct Choice {
        std::vector<std::string> names;
        int gene = -1;
        const std::string& in(const Genome& genome) const;
    };

    void find_kinds(const SearchSettings& search);
    int points_of(ModuleKind kind) const;
    Choice make_choice(const std::string& name, const std::vector<std::string>& names);
    void make_cells(const SearchSettings& search, const std::string& parameter, size_t source);
    void make_cells(const SearchSettings& search, Cell cell);
    GeneRange range_of(const SearchSettings& search, const Cell& cell) const;
    Value make_value(const GeneRange& range, bool searched, const std::string& name);
    std::string gene_name(const Cell& cell, ModuleKind kind, int point) const;
    bool single_slice() const { return boundaries_.size() == 2; }
    double epsilon_limit(const Cell& epsilon, size_t kind, size_t point,
                         const Genome& genome) const;

    ParameterSetting setting(const Cell& cell, const Genome& genome) const;
    RecipeSlice slice(int group, Method method, const Genome& genome) const;
    void set_recipe_parameters(Recipe& recipe, const Genome& genome) const;

    MergeSettings merge_;
    SearchModels models_;
    std::vector<int> boundaries_;
    int points_ = 1;                              ///< of a smooth search, else 1
    std::vector<std::vector<ModuleKind>> kinds_;  ///< by group: kinds that have tensors there
    std::set<ModuleKind> layer_kinds_;            ///< kinds that have tensors in layers
    std::vector<ModuleKind> searched_;            ///< kinds whose values are genes
    Choice method_, normalize_, rescale_;
    Value lambda_;
    std::vector<Cell> cells_;
};

}  // namespace galapagos
