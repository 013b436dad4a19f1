#pragma once

#include "evolve/initial_design.hpp"
#include "evolve/optimizer_base.hpp"
#include "evolve/optimizer_settings.hpp"

namespace galapagos {

/// A genetic algorithm for genes of all types: tournament selection, crossover and mutation
/// (evolve/variation.hpp), and elitist survival: the best distinct individuals of parents,
/// offspring and migrants form the next population. At equal fitness the newer survives, so that
/// the population can drift across a plateau of coarse scores.
class GeneticAlgorithm final : public OptimizerBase {
  public:
    /// A population of 0 stands for 2 (4 + floor(3 ln n)) with n genes.
    GeneticAlgorithm(const OptimizerSettings& settings, const std::vector<Gene>& genes,
                     uint64_t seed, uint32_t island);

    std::string name() const override { return "ga"; }
    /// Merges the migrants into the population and keeps the best.
    void inject(std::span<const Evaluated> migrants) override;
    Diagnostics diagnostics() const override;

  protected:
    Individual draw(uint64_t k) override;
    void learn(std::span<const Evaluated> batch) override;
    nlohmann::json save_own() const override;
    void load_own(const nlohmann::json& state) override;

  private:
    const Evaluated& tournament(RandomStream& random) const;
    Individual offspring(RandomStream& random) const;
    bool is_duplicate(const Genome& genome) const;

    OptimizerSettings settings_;
    InitialDesign design_;
    uint64_t resets_ = 0;  ///< candidates that only a reset made new
};

}  // namespace galapagos
