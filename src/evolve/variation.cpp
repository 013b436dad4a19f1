#include "evolve/variation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace galapagos {

namespace {

/// The range in which a gene is varied: each whole number of an integer gene stands for an interval
/// of width 1, so that the ends of its range are as likely as the middle.
std::pair<double, double> continuous_range(const Gene& gene) {
    const double margin = gene.type == GeneType::integer ? 0.5 : 0.0;
    return {gene.lower - margin, gene.upper + margin};
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

double normal_inside(const Gene& gene, double deviation, RandomStream& random) {
    // At an initial value on the bound half of the draws fall outside: 64 tries all but never fail.
    for (int attempt = 0; attempt < 64; ++attempt) {
        const double value = gene.initial + deviation * random.normal();
        if (value >= gene.lower && value <= gene.upper) {
            return nearest_value(gene, value);
        }
    }
    return random_value(gene, random);
}

/// Those that have an effect; of these there is always one, since only genes that have a condition
/// can lack it.
std::vector<size_t> active_genes(std::span<const Gene> genes, const Genome& genome) {
    std::vector<size_t> active;
    for (size_t i = 0; i < genes.size(); ++i) {
        if (genes[i].active_in(genome)) active.push_back(i);
    }
    return active;
}

}  // namespace

bool is_number(const Gene& gene) {
    return gene.type == GeneType::real || gene.type == GeneType::integer;
}

double random_value(const Gene& gene, RandomStream& random) {
    if (gene.type == GeneType::real) {
        return random.uniform(gene.lower, gene.upper);
    }
    const double first = gene.type == GeneType::integer ? gene.lower : 0.0;
    return first + static_cast<double>(random.below(gene.cardinality()));
}

double value_around(const Gene& gene, double spread, RandomStream& random) {
    if (gene.type == GeneType::binary) {
        return random.uniform() < spread ? 1.0 - gene.initial : gene.initial;
    }
    return normal_inside(gene, spread * (gene.upper - gene.lower), random);
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
    const std::vector<size_t> active = active_genes(genes, genome);
    const size_t forced = random.below(active.size());
    bool changed = false;
    for (size_t i = 0; i < active.size(); ++i) {
        const bool chosen = random.uniform() < rate;
        if (chosen || (at_least_one && i == forced)) {
            double& value = genome[active[i]];
            const double before = value;
            value = mutate_value(genes[active[i]], value, eta, random);
            changed = changed || value != before;
        }
    }
    return changed;
}

void reset_one_gene(std::span<const Gene> genes, Genome& genome, RandomStream& random) {
    const std::vector<size_t> active = active_genes(genes, genome);
    const size_t i = active[random.below(active.size())];
    genome[i] = random_value(genes[i], random);
}

}  // namespace galapagos
