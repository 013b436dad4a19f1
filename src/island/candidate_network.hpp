// The network that recipes are run in: what is merged for it, and which of its layers run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "genome/search_space.hpp"
#include "island/merge_forms.hpp"
#include "merge/path_plan.hpp"
#include "weights/architecture.hpp"
#include "weights/layer_route.hpp"
#include "weights/source.hpp"

namespace galapagos {

/// Layers that lie in memory once, for one recipe or for all of a search.
struct CandidateNetwork {
    Architecture architecture;
    /// Of recipes with a layer path: where each layer lies.
    std::optional<LayerSlots> slots;
    LayerRoute route;           ///< of the recipe, or of the genome that a search starts with
    std::int64_t max_hops = 0;  ///< of later routes
    /// What fills the network: under a layer path the same for every recipe, else a plan of each
    /// form.
    std::vector<MergePlan> forms;
    /// Whether that is done a single time: for one recipe, and under layer paths.
    bool merged_once = false;

    MergeForms merge_forms() const { return {forms, merged_once}; }
};

/// For one recipe. `donor` is its donor_model.
CandidateNetwork network_of(const Recipe& recipe, const Source& donor,
                            const std::vector<std::shared_ptr<const Source>>& sources);

/// For all recipes of a space over these models, of which the first is the donor.
CandidateNetwork network_of(const SearchSpace& space,
                            const std::vector<std::shared_ptr<const Source>>& sources);

}  // namespace galapagos
