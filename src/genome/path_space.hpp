// The data-flow space: which layers of the sources run, one after the other, and with which scales.
#pragma once

#include <string>
#include <vector>

#include "genome/search_space.hpp"

namespace galapagos {

/// Layer paths (Akiba et al. 2025, "merging in the data flow space"): the layers of all sources, in
/// their order, are offered `repeats` times, and an indicator gene for each of these steps says
/// whether it is taken. A scale multiplies what a step takes over from the one before: a gene for
/// each step, or for each pair of layers (the paper's matrix W). The first hop's scale is 1.
///
/// A search starts at the layers of the first source, one after the other; the paper's did not
/// start otherwise.
class PathSpace final : public SearchSpace {
  public:
    /// Throws UsageError for settings that contradict each other or the models.
    PathSpace(const SearchSettings& search, const MergeSettings& merge, SearchModels models);

    /// Throws Error for a path without hops, and for one with too many.
    Recipe recipe(const Genome& genome) const override;
    /// One path through every layer that there is.
    std::vector<Recipe> forms() const override;
    std::int64_t max_hops() const override { return path_.max_hops; }

  private:
    /// Layers of one source that are taken or left out together.
    struct Block {
        std::size_t source = 0;
        int first = 0;
        int end = 0;
    };

    void make_blocks();
    std::string name_of(const Block& block) const;
    std::string name_of_step(std::size_t step) const;
    void make_indicators();
    void make_scales();
    double scale_of(std::size_t before, std::size_t step, const Genome& genome) const;
    const Block& block_of(std::size_t step) const { return blocks_[step % blocks_.size()]; }
    void append(LayerPath& path, const Block& block, double scale) const;
    Recipe recipe_of(LayerPath path) const;

    SearchModels models_;
    PathSettings path_;  ///< with the most hops that a path may have
    std::string dtype_;
    std::vector<Block> blocks_;  ///< of all sources, in order
    std::size_t steps_ = 0;      ///< genes 0 to steps_ - 1 are indicators, scales follow
};

}  // namespace galapagos
