#include "evolve/elite_archive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.hpp"
#include "evolve/state_codec.hpp"

namespace galapagos {

bool EliteArchive::insert(const Evaluated& individual) {
    if (individual.fitness == -std::numeric_limits<double>::infinity() ||
        contains(individual.genome)) {
        return false;
    }
    const auto better_or_older = [&](const Evaluated& member) {
        return ties_ == Ties::older ? member.fitness >= individual.fitness
                                    : member.fitness > individual.fitness;
    };
    const auto place = std::partition_point(members_.begin(), members_.end(), better_or_older);
    if (place == members_.end() && members_.size() >= capacity_) {
        return false;
    }
    members_.insert(place, individual);
    if (members_.size() > capacity_) {
        members_.pop_back();
    }
    return true;
}

bool EliteArchive::contains(const Genome& genome) const {
    return std::any_of(members_.begin(), members_.end(),
                       [&](const Evaluated& member) { return member.genome == genome; });
}

std::vector<Evaluated> EliteArchive::best(size_t n) const {
    const auto count = static_cast<std::ptrdiff_t>(std::min(n, members_.size()));
    return {members_.begin(), members_.begin() + count};
}

nlohmann::json EliteArchive::save() const {
    auto list = nlohmann::json::array();
    for (const Evaluated& member : members_) {
        list.push_back(to_json(member));
    }
    return list;
}

void EliteArchive::load(const nlohmann::json& state, size_t genes) {
    std::vector<Evaluated> members;
    for (const auto& member : state) {
        members.push_back(evaluated_from_json(member, genes));
    }
    if (members.size() > capacity_) {
        throw Error("the state of an optimiser can't be read",
                    "it holds more individuals than the optimiser keeps",
                    "resume with the settings that the run began with");
    }
    members_ = std::move(members);
}

namespace {

double spread_of_numbers(const std::vector<Evaluated>& individuals, size_t gene, double width) {
    const double count = static_cast<double>(individuals.size());
    double mean = 0.0;
    for (const Evaluated& individual : individuals) {
        mean += individual.genome[gene] / count;
    }
    double variance = 0.0;
    for (const Evaluated& individual : individuals) {
        const double distance = individual.genome[gene] - mean;
        variance += distance * distance / count;
    }
    return std::sqrt(variance) / width;
}

double spread_of_choices(const std::vector<Evaluated>& individuals, size_t gene) {
    std::map<double, size_t> counts;
    size_t most = 0;
    for (const Evaluated& individual : individuals) {
        most = std::max(most, ++counts[individual.genome[gene]]);
    }
    return 1.0 - static_cast<double>(most) / static_cast<double>(individuals.size());
}

}  // namespace

double diversity(const std::vector<Evaluated>& individuals, std::span<const Gene> genes) {
    if (individuals.empty() || genes.empty()) {
        return 0.0;
    }
    double sum = 0.0;
    for (size_t i = 0; i < genes.size(); ++i) {
        const Gene& gene = genes[i];
        sum += gene.type == GeneType::categorical
                   ? spread_of_choices(individuals, i)
                   : spread_of_numbers(individuals, i, gene.upper - gene.lower);
    }
    return sum / static_cast<double>(genes.size());
}

}  // namespace galapagos
