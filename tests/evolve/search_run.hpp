// Runs an optimiser on a function of a genome, with a window of candidates asked for ahead.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <limits>
#include <vector>

#include "evolve/optimizer.hpp"

namespace galapagos {

using Fitness = std::function<double(const Genome&)>;

/// Holds what an island would: ids, outstanding candidates, everything that was asked for.
class SearchRun {
  public:
    SearchRun(Optimizer& optimizer, Fitness fitness, size_t window = 0)
        : optimizer_(optimizer), fitness_(std::move(fitness)), window_(window) {}

    void generation() {
        while (waiting_.size() < optimizer_.population_size() + window_) {
            Individual candidate = optimizer_.ask();
            candidate.id = all_.size();
            waiting_.push_back({candidate.id, candidate.genome, fitness_(candidate.genome)});
            best_ = std::max(best_, waiting_.back().fitness);
            all_.push_back(std::move(candidate));
        }
        std::vector<Evaluated> batch;
        for (size_t i = 0; i < optimizer_.population_size(); ++i) {
            batch.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        optimizer_.tell(batch);
    }

    /// Candidates until the best fitness reaches `target`, or `limit`.
    size_t evaluations_to(double target, size_t limit) {
        while (best_ < target && all_.size() < limit) {
            generation();
        }
        return all_.size();
    }

    const std::vector<Individual>& all() const { return all_; }
    double best() const { return best_; }

  private:
    Optimizer& optimizer_;
    Fitness fitness_;
    size_t window_;
    std::deque<Evaluated> waiting_;
    std::vector<Individual> all_;
    double best_ = -std::numeric_limits<double>::infinity();
};

inline std::vector<Gene> real_genes(size_t n, double lower, double upper, double initial) {
    std::vector<Gene> genes;
    for (size_t i = 0; i < n; ++i) {
        genes.push_back(Gene::real(fmt::format("x{}", i), lower, upper, initial));
    }
    return genes;
}

inline std::vector<Gene> mixed_genes() {
    return {Gene::real("a", 0, 1.5, 0.7),
            Gene::real("b", -2, 2, 0),
            Gene::integer("c", -3, 12, 0),
            Gene::categorical("d", {"ties", "linear", "slerp"}),
            Gene::binary("e"),
            Gene::real("f", 0, 1, 0.5),
            Gene::categorical("g", {"only"}),
            Gene::integer("h", 0, 1, 0)};
}

/// 0 at a = 1.2, b = -1, c = 9, d = slerp, e = 1, f = 0.2; negative elsewhere.
inline double mixed_fitness(const Genome& x) {
    const double real =
        (x[0] - 1.2) * (x[0] - 1.2) + (x[1] + 1) * (x[1] + 1) + (x[5] - 0.2) * (x[5] - 0.2);
    const double whole = 0.05 * (x[2] - 9) * (x[2] - 9);
    return -(real + whole + (x[3] == 2 ? 0.0 : 1.0) + (x[4] == 1 ? 0.0 : 1.0));
}

}  // namespace galapagos
