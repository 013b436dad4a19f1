#pragma once

#include <deque>

#include "evolve/cma_distribution.hpp"
#include "evolve/optimizer_base.hpp"
#include "evolve/optimizer_settings.hpp"

namespace galapagos {

/// CMA-ES with active covariance update for real genes, in a box.
///
/// Genes are scaled to [0, 1] and the distribution lives behind a smooth periodic map onto the box
/// (evolve/box_transform.hpp), so that bounds clip nothing; no standard deviation exceeds a third
/// of the box. Told generation by generation it is the textbook algorithm. A result of a candidate
/// that was sampled before the last tell, or of a migrant, is taken relative to the current mean,
/// with its Mahalanobis length limited; a migrant never gets a negative weight.
class CmaEs final : public OptimizerBase {
  public:
    /// A population of 0 stands for 4 + floor(3 ln n) with n genes.
    CmaEs(const OptimizerSettings& settings, const std::vector<Gene>& genes, uint64_t seed,
          uint32_t island);

    std::string name() const override { return "cma_es"; }
    /// The best migrants, at most a fifth of a population, replace the next samples: as they are,
    /// or moved towards the mean when the distribution hardly reaches them.
    void inject(std::span<const Evaluated> migrants) override;
    Diagnostics diagnostics() const override;

    const CmaDistribution& distribution() const { return distribution_; }

  protected:
    Individual draw(uint64_t k) override;
    void learn(std::span<const Evaluated> batch) override;
    nlohmann::json save_own() const override;
    void load_own(const nlohmann::json& state) override;

  private:
    /// A candidate where it was drawn, before the map onto the box.
    struct Sample {
        Eigen::VectorXd point;
        uint64_t generation = 0;  ///< of the distribution that it was drawn from
        bool injected = false;
    };

    Individual draw_migrant();
    Genome into_box(const Eigen::VectorXd& point) const;
    Eigen::VectorXd from_box(const Genome& genome) const;

    CmaDistribution distribution_;
    std::deque<Sample> samples_;       ///< of the outstanding candidates, in ask order
    std::vector<Evaluated> migrants_;  ///< waiting to be drawn, best first
};

}  // namespace galapagos
