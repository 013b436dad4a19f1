#pragma once

#include "evolve/initial_design.hpp"
#include "evolve/optimizer_base.hpp"
#include "evolve/optimizer_settings.hpp"

namespace galapagos {

/// Uniform sampling over the box (genes with a spread: around their initial values), after the
/// genome of initial values: the baseline that every other optimiser must beat. It keeps its best
/// individuals as elites and learns nothing from migrants.
class RandomSearch final : public OptimizerBase {
  public:
    /// A population of 0 stands for 16.
    RandomSearch(const OptimizerSettings& settings, const std::vector<Gene>& genes, uint64_t seed,
                 uint32_t island);

    std::string name() const override { return "random"; }
    void inject(std::span<const Evaluated> migrants) override;
    Diagnostics diagnostics() const override;

  protected:
    Individual draw(uint64_t k) override;
    void learn(std::span<const Evaluated> batch) override;
    nlohmann::json save_own() const override;
    void load_own(const nlohmann::json& state) override;
};

}  // namespace galapagos
