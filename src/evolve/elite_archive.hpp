#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "evolve/optimizer.hpp"

namespace galapagos {

/// The best distinct individuals seen, best first, at most `capacity`. Failed ones (fitness
/// -infinity) never enter.
class EliteArchive {
  public:
    /// Who ranks first at equal fitness.
    enum class Ties { older, newer };

    EliteArchive(size_t capacity, Ties ties) : capacity_(capacity), ties_(ties) {}

    /// True when the individual is now a member. A genome that is a member already is left out.
    bool insert(const Evaluated& individual);
    bool contains(const Genome& genome) const;

    const std::vector<Evaluated>& members() const { return members_; }
    std::vector<Evaluated> best(size_t n) const;

    nlohmann::json save() const;
    void load(const nlohmann::json& state, size_t genes);

  private:
    size_t capacity_;
    Ties ties_;
    std::vector<Evaluated> members_;
};

/// Standard deviation of each gene over the individuals in units of its range, averaged over the
/// genes; for a categorical gene the share of individuals that lack the most frequent value.
double diversity(const std::vector<Evaluated>& individuals, std::span<const Gene> genes);

}  // namespace galapagos
