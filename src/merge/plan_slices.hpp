// The slices of a recipe resolved against its sources: which layers of which source.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "merge/plan.hpp"
#include "merge/source_layout.hpp"

namespace galapagos {

/// How the tensors of each source fall into layers, worked out when first asked for.
class SourceLayouts {
  public:
    explicit SourceLayouts(const std::vector<std::shared_ptr<const Source>>& sources)
        : sources_(sources), layouts_(sources.size()) {}

    const SourceLayout& of(int source);

  private:
    const std::vector<std::shared_ptr<const Source>>& sources_;
    std::vector<std::optional<SourceLayout>> layouts_;
};

/// A slice of a recipe, or all of `models`. Refers to the recipe.
struct ResolvedSlice {
    std::vector<RecipeInput> inputs;  ///< with layer ranges, all equally long
    std::vector<int> sources;         ///< of the inputs
    int base = -1;                    ///< position in `inputs`
    const Parameters* parameters = nullptr;

    /// Number of output layers.
    std::int64_t layers() const { return inputs.front().layer_range->size(); }
    /// Layer of an input that goes into the slice's output layer `offset`.
    std::int64_t layer_of(std::size_t input, std::int64_t offset) const {
        return inputs[input].layer_range->begin + offset;
    }
};

/// At least one. Throws UsageError for sources that are not there, layers that they don't have, and
/// sets of sources that the method can't take.
std::vector<ResolvedSlice> resolve_slices(const Recipe& recipe, const SourceIndex& index,
                                          SourceLayouts& layouts);

}  // namespace galapagos
