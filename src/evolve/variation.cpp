#include "evolve/variation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace galapagos {

namespace {

/// The range in which a gene is varied: each whole number of an integer gene stands for an interval
/// of width 1, so that the ends of its range are as likely as the middle.
std::pair<double, double> continuous_range(const Gene& gene) {
    const double margin = gene.type == GeneType::integer ? 0.5 : 0.0;
    return {gene.lower - margin, gene.upper + margin};
}

bool is_number(const Gene& gene) {
    return gene.type == GeneType::real || gene.type == GeneType::integer;
}

/// Spread factor for u in [0, 1), limited so that no child passes a bound `distance` away from its
/// nearer parent, when the parents lie `gap` apart.
double spread_factor(double u, double distance, double gap, double eta) {
    const double beta = 1.0 + 2.0 * distance / gap;
    const double alpha = 2.0 - std::pow(beta, -(eta + 1.0));
    const double base = u <= 1.0 / alpha ? u * alpha : 1.0 / (2.0 - u * alpha);
    return std::pow(base, 1.0 / (eta + 1.0));
}

double cross_numbers(const Gene& gene, double first, double second, double eta,
                     RandomStream& random) {
    const double u = random.uniform();
    const bool other_child = random.uniform() < 0.5;
    const auto [low, high] = std::minmax(first, second);
    const double gap = high - low;
    if (gap < 1e-14) {
        return first;
    }
    const auto [lower, upper] = continuous_range(gene);
    const double near_low = 0.5 * (low + high - spread_factor(u, low - lower, gap, eta) * gap);
    const double near_high = 0.5 * (low + high + spread_factor(u, upper - high, gap, eta) * gap);
    // Half of the time the child takes the value beside the other parent.
    const bool take_low = (first < second) != other_child;
    return nearest_value(gene, take_low ? near_low : near_high);
}

double mutate_number(const Gene& gene, double value, double eta, RandomStream& random) {
    const auto [lower, upper] = continuous_range(gene);
    const double width = upper - lower;
    const double u = random.uniform();
    double step = 0.0;
    if (u < 0.5) {
        const double room = 1.0 - (value - lower) / width;
        step = std::pow(2.0 * u + (1.0 - 2.0 * u) * std::pow(room, eta + 1.0), 1.0 / (eta + 1.0)) -
               1.0;
    } else {
        const double room = 1.0 - (upper - value) / width;
        step = 1.0 - std::pow(2.0 * (1.0 - u) + (2.0 * u - 1.0) * std::pow(room, eta + 1.0),
                              1.0 / (eta + 1.0));
    }
    const double moved = nearest_value(gene, value + step * width);
    if (gene.type == GeneType::integer && moved == value) {
        const bool down = value >= gene.upper || (u < 0.5 && value > gene.lower);
        return nearest_value(gene, value + (down ? -1.0 : 1.0));
    }
    return moved;
}

double mutate_value(const Gene& gene, double value, double eta, RandomStream& random) {
    if (is_number(gene)) {
        return mutate_number(gene, value, eta, random);
    }
    const size_t others = gene.cardinality() - 1;
    if (others == 0) {
        return value;
    }
    const double pick = static_cast<double>(random.below(others));
    return pick < value ? pick : pick + 1.0;
}

}  // namespace

double random_value(const Gene& gene, RandomStream& random) {
    if (gene.type == GeneType::real) {
        return random.uniform(gene.lower, gene.upper);
    }
    const double first = gene.type == GeneType::integer ? gene.lower : 0.0;
    return first + static_cast<double>(random.below(gene.cardinality()));
}

double nearest_value(const Gene& gene, double value) {
    const bool whole = gene.type != GeneType::real;
    return std::clamp(whole ? std::round(value) : value, gene.lower, gene.upper);
}

Genome crossover(std::span<const Gene> genes, const Genome& first, const Genome& second, double eta,
                 RandomStream& random) {
    Genome child = first;
    for (size_t i = 0; i < genes.size(); ++i) {
        const bool cross = random.uniform() < 0.5;
        if (cross && is_number(genes[i])) {
            child[i] = cross_numbers(genes[i], first[i], second[i], eta, random);
        } else if (cross) {
            child[i] = second[i];
        }
    }
    return child;
}

bool mutate(std::span<const Gene> genes, Genome& genome, double rate, double eta, bool at_least_one,
            RandomStream& random) {
    const size_t forced = random.below(genes.size());
    bool changed = false;
    for (size_t i = 0; i < genes.size(); ++i) {
        const bool chosen = random.uniform() < rate;
        if (chosen || (at_least_one && i == forced)) {
            const double value = mutate_value(genes[i], genome[i], eta, random);
            changed = changed || value != genome[i];
            genome[i] = value;
        }
    }
    return changed;
}

void reset_one_gene(std::span<const Gene> genes, Genome& genome, RandomStream& random) {
    const size_t i = random.below(genes.size());
    genome[i] = random_value(genes[i], random);
}

}  // namespace galapagos
