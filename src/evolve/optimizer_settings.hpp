#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/options.hpp"

namespace galapagos {

enum class OptimizerKind { ga, cma_es, random };

/// Section `search.optimizer` of the config. Zero means "the default for this number of genes".
struct OptimizerSettings {
    OptimizerKind kind = OptimizerKind::ga;
    size_t population = 0;  ///< candidates a generation

    // genetic algorithm
    size_t tournament = 2;
    double crossover_rate = 0.9;  ///< probability that a candidate has two parents
    double crossover_eta = 15.0;  ///< distribution index of simulated binary crossover
    double mutation_rate = 0.0;   ///< per gene; 0: min(1/2, 1/number of genes)
    double mutation_eta = 20.0;   ///< distribution index of polynomial mutation
    double initial_spread = 0.0;  ///< std of the first population around the initial values, in box
                                  ///< widths; 0: a Latin hypercube over the box

    // CMA-ES
    double sigma = 1.0 / 6.0;  ///< first standard deviation, in box widths
    bool active = true;        ///< negative weights for the worst half
};

/// Keys: name, and the fields above by their names.
void visit_options(OptionVisitor& visitor, OptimizerSettings& settings);

/// Keys of settings that were changed and that none of a run's optimisers has.
std::vector<std::string> unused_settings(const std::vector<OptimizerSettings>& optimizers);

}  // namespace galapagos
