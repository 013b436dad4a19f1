#include "genome/gene.hpp"

#include <cmath>
#include <set>
#include <utility>

#include "base/error.hpp"

namespace galapagos {

Gene Gene::real(std::string name, double lower, double upper, double initial) {
    return {std::move(name), GeneType::real, lower, upper, {}, initial};
}

Gene Gene::integer(std::string name, long lower, long upper, long initial) {
    return {std::move(name),
            GeneType::integer,
            static_cast<double>(lower),
            static_cast<double>(upper),
            {},
            static_cast<double>(initial)};
}

Gene Gene::categorical(std::string name, std::vector<std::string> choices, size_t initial) {
    const double last = static_cast<double>(choices.size()) - 1.0;
    return {std::move(name),    GeneType::categorical,       0.0, last,
            std::move(choices), static_cast<double>(initial)};
}

Gene Gene::binary(std::string name, bool initial) {
    return {std::move(name), GeneType::binary, 0.0, 1.0, {}, initial ? 1.0 : 0.0};
}

size_t Gene::cardinality() const {
    return type == GeneType::real ? 0 : static_cast<size_t>(upper - lower) + 1;
}

const char* name_of(GeneType type) {
    switch (type) {
        case GeneType::real:
            return "real";
        case GeneType::integer:
            return "integer";
        case GeneType::categorical:
            return "categorical";
        case GeneType::binary:
            return "binary";
    }
    return "unknown";
}

Genome initial_genome(std::span<const Gene> genes) {
    Genome genome;
    for (const Gene& gene : genes) {
        genome.push_back(gene.initial);
    }
    return genome;
}

namespace {

/// Why `value` isn't one of the gene; empty if it is.
std::string problem_with(const Gene& gene, double value) {
    if (!std::isfinite(value)) {
        return "it is not finite";
    }
    if (value < gene.lower || value > gene.upper) {
        return "it is outside [" + std::to_string(gene.lower) + ", " + std::to_string(gene.upper) +
               "]";
    }
    if (gene.type != GeneType::real && value != std::round(value)) {
        return "it is not a whole number";
    }
    return {};
}

std::string problem_with(const Gene& gene) {
    if (gene.name.empty()) {
        return "it has no name";
    }
    if (gene.type == GeneType::categorical &&
        (gene.choices.empty() || gene.lower != 0.0 ||
         gene.upper != static_cast<double>(gene.choices.size()) - 1.0)) {
        return "its bounds don't number its choices";
    }
    const bool may_be_constant = gene.type == GeneType::categorical;
    if (!std::isfinite(gene.lower) || !std::isfinite(gene.upper) ||
        (may_be_constant ? gene.lower > gene.upper : gene.lower >= gene.upper)) {
        return "its lower bound is not below its upper bound";
    }
    if (!(gene.spread >= 0.0)) {
        return "its spread is no width";
    }
    const std::string initial = problem_with(gene, gene.initial);
    return initial.empty() ? initial : "its initial value is bad: " + initial;
}

}  // namespace

void check_genome(std::span<const Gene> genes, std::span<const double> genome) {
    if (genes.size() != genome.size()) {
        throw Error("a genome doesn't fit the search space",
                    "it has " + std::to_string(genome.size()) + " values for " +
                        std::to_string(genes.size()) + " genes");
    }
    for (size_t i = 0; i < genes.size(); ++i) {
        if (const std::string problem = problem_with(genes[i], genome[i]); !problem.empty()) {
            throw Error("a genome doesn't fit the search space",
                        "the value of " + genes[i].name + " is " + std::to_string(genome[i]) +
                            ", " + problem);
        }
    }
}

void check_genes(std::span<const Gene> genes) {
    std::set<std::string> names;
    for (const Gene& gene : genes) {
        std::string problem = problem_with(gene);
        if (problem.empty() && !names.insert(gene.name).second) {
            problem = "its name is taken";
        }
        if (problem.empty() && gene.condition &&
            (*gene.condition >= genes.size() || genes[*gene.condition].condition)) {
            problem = "its condition is no gene without one";
        }
        if (!problem.empty()) {
            throw UsageError("gene " + gene.name + " can't be searched", problem);
        }
    }
}

}  // namespace galapagos
