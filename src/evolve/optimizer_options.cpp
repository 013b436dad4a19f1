#include <algorithm>

#include "evolve/optimizer_settings.hpp"

namespace galapagos {

void visit_options(OptionVisitor& visitor, OptimizerSettings& settings) {
    visitor.choice("name", settings.kind, {"ga", "cma_es", "random"},
                   {.help = "ga: genetic algorithm for all genes; cma_es: for real genes; random: "
                            "the baseline"});
    visitor.whole("population", settings.population,
                  {.help = "candidates a generation; 0: with n genes 4 + floor(3 ln n) for cma_es, "
                           "twice that for ga, 16 for random",
                   .minimum = 0,
                   .maximum = 1e6});
    visitor.whole(
        "tournament", settings.tournament,
        {.help = "ga: individuals that compete to be a parent", .minimum = 1, .maximum = 1e6});
    visitor.option(
        "crossover_rate", settings.crossover_rate,
        {.help = "ga: probability that a candidate has two parents", .minimum = 0, .maximum = 1});
    visitor.option("crossover_eta", settings.crossover_eta,
                   {.help = "ga: distribution index of simulated binary crossover; the larger, the "
                            "nearer to the parents",
                    .minimum = 0});
    visitor.option("mutation_rate", settings.mutation_rate,
                   {.help = "ga: probability that a gene mutates; 0: min(0.5, 1/n) with n genes",
                    .minimum = 0,
                    .maximum = 1});
    visitor.option(
        "mutation_eta", settings.mutation_eta,
        {.help = "ga: distribution index of polynomial mutation; the larger, the smaller "
                 "the steps",
         .minimum = 0});
    visitor.option("initial_spread", settings.initial_spread,
                   {.help = "ga: standard deviation of the first population around the initial "
                            "values, in box widths; 0: spread over the whole box",
                    .minimum = 0,
                    .maximum = 10});
    visitor.option("sigma", settings.sigma,
                   {.help = "cma_es: first standard deviation, in box widths",
                    .minimum = 1e-6,
                    .maximum = 1.0 / 3.0});
    visitor.option("active", settings.active,
                   {.help = "cma_es: learn from the worst candidates of a generation too"});
}

std::vector<std::string> unused_settings(const std::vector<OptimizerSettings>& optimizers) {
    std::vector<std::string> unused;
    const auto look = [&](OptimizerKind owner, const char* key, auto field) {
        const bool owned =
            std::any_of(optimizers.begin(), optimizers.end(),
                        [&](const auto& settings) { return settings.kind == owner; });
        const bool changed = std::any_of(
            optimizers.begin(), optimizers.end(),
            [&](const auto& settings) { return settings.*field != OptimizerSettings{}.*field; });
        if (changed && !owned) unused.emplace_back(key);
    };
    look(OptimizerKind::ga, "tournament", &OptimizerSettings::tournament);
    look(OptimizerKind::ga, "crossover_rate", &OptimizerSettings::crossover_rate);
    look(OptimizerKind::ga, "crossover_eta", &OptimizerSettings::crossover_eta);
    look(OptimizerKind::ga, "mutation_rate", &OptimizerSettings::mutation_rate);
    look(OptimizerKind::ga, "mutation_eta", &OptimizerSettings::mutation_eta);
    look(OptimizerKind::ga, "initial_spread", &OptimizerSettings::initial_spread);
    look(OptimizerKind::cma_es, "sigma", &OptimizerSettings::sigma);
    look(OptimizerKind::cma_es, "active", &OptimizerSettings::active);
    return unused;
}

}  // namespace galapagos
