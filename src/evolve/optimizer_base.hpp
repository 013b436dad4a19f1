#pragma once

#include <deque>

#include "base/random.hpp"
#include "evolve/elite_archive.hpp"
#include "evolve/optimizer.hpp"

namespace galapagos {

/// What all optimisers share: counters, the queue of outstanding candidates, the checks of `tell`
/// and the frame of the saved state.
class OptimizerBase : public Optimizer {
  public:
    size_t population_size() const final { return population_size_; }
    Individual ask() final;
    void tell(std::span<const Evaluated> batch) final;
    std::vector<Evaluated> elites(size_t n) const final { return archive_.best(n); }
    nlohmann::json save() const final;
    void load(const nlohmann::json& state) final;
    uint64_t asked() const final { return asked_; }
    uint64_t generation() const final { return generation_; }

  protected:
    OptimizerBase(std::vector<Gene> genes, size_t population_size, uint64_t seed, uint32_t island,
                  EliteArchive archive);

    /// Draws candidate number k.
    virtual Individual draw(uint64_t k) = 0;
    /// One generation; NaN has become -infinity. Told individuals are in the archive already.
    virtual void learn(std::span<const Evaluated> batch) = 0;
    virtual nlohmann::json save_own() const = 0;
    virtual void load_own(const nlohmann::json& state) = 0;

    const std::vector<Gene>& genes() const { return genes_; }
    EliteArchive& archive() { return archive_; }
    const EliteArchive& archive() const { return archive_; }
    const std::deque<Genome>& outstanding() const { return outstanding_; }
    RandomStream stream(Purpose purpose, uint64_t index) const {
        return {seed_, island_, purpose, index};
    }
    /// Individuals of the last batch that entered the archive, as a share of the batch.
    double accepted() const { return accepted_; }

  private:
    std::vector<Gene> genes_;
    size_t population_size_;
    uint64_t seed_;
    uint32_t island_;
    EliteArchive archive_;
    std::deque<Genome> outstanding_;
    uint64_t asked_ = 0;
    uint64_t generation_ = 0;
    double accepted_ = 0.0;
};

}  // namespace galapagos
