// Layer paths resolved against their sources: kept as stored layers with a route over them, or
// unrolled into a model that runs its layers in order.
#pragma once

#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "merge/plan.hpp"
#include "weights/architecture.hpp"
#include "weights/layer_route.hpp"

namespace galapagos {

/// The layers that one path, or several, are made of: each is stored once, in a slot of its own.
class LayerSlots {
  public:
    explicit LayerSlots(std::vector<LayerOfModel> layers) : layers_(std::move(layers)) {}
    /// The distinct layers of a path, in order of their first run.
    explicit LayerSlots(const LayerPath& path);

    const std::vector<LayerOfModel>& layers() const noexcept { return layers_; }
    /// Throws Error for a layer that has no slot.
    LayerRoute route(const LayerPath& path) const;

  private:
    std::vector<LayerOfModel> layers_;
};

/// The network whose layers are the slots: sizes, norms and all else of `donor`, but each slot has
/// the window, rotary embedding and attention scale that its layer has in its own model. Throws
/// Error for a layer that is not there, and for models that differ in more than these.
Architecture slot_architecture(const LayerSlots& slots, const Source& donor,
                               const std::vector<std::shared_ptr<const Source>>& sources,
                               const SourceIndex& index);

/// What fills the slots; embeddings, final norm and head are those of the model `donor`.
MergePlan make_slot_plan(const std::vector<LayerOfModel>& slots, const std::string& donor,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const SourceIndex& index);

/// A model with a layer a hop that computes what the path does, up to the rounding of scaled
/// weights.
struct UnrolledModel {
    MergePlan plan;
    nlohmann::json config;  ///< config.json
};

/// Throws UsageError naming the hop if a scale can't be put into weights, or config.json can't say
/// what a layer does at its new place.
UnrolledModel unroll(const Recipe& recipe,
                     const std::vector<std::shared_ptr<const Source>>& sources,
                     const SourceIndex& index);

}  // namespace galapagos
