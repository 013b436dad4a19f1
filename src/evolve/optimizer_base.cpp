#include "evolve/optimizer_base.hpp"

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "evolve/state_codec.hpp"

namespace galapagos {

namespace {

constexpr int state_format = 1;

[[noreturn]] void told_wrongly(const std::string& why) {
    throw Error("an optimiser was told wrongly", why);
}

}  // namespace

OptimizerBase::OptimizerBase(std::vector<Gene> genes, size_t population_size, uint64_t seed,
                             uint32_t island, EliteArchive archive)
    : genes_(std::move(genes)),
      population_size_(population_size),
      seed_(seed),
      island_(island),
      archive_(std::move(archive)) {}

Individual OptimizerBase::ask() {
    Individual individual = draw(asked_);
    ++asked_;
    outstanding_.push_back(individual.genome);
    return individual;
}

void OptimizerBase::tell(std::span<const Evaluated> batch) {
    if (batch.size() != population_size_ || outstanding_.size() < population_size_) {
        told_wrongly("a generation has " + std::to_string(population_size_) + " candidates, " +
                     std::to_string(batch.size()) + " results came and " +
                     std::to_string(outstanding_.size()) + " candidates were outstanding");
    }
    std::vector<Evaluated> clean(batch.begin(), batch.end());
    for (size_t i = 0; i < clean.size(); ++i) {
        if (clean[i].genome != outstanding_[i]) {
            told_wrongly("result " + std::to_string(i) + " has another genome than the candidate");
        }
        if (std::isnan(clean[i].fitness)) {
            clean[i].fitness = -std::numeric_limits<double>::infinity();
        }
    }
    for (const Evaluated& individual : clean) {
        archive_.insert(individual);
    }
    size_t entered = 0;
    for (const Evaluated& individual : clean) {
        entered += archive_.contains(individual.genome) ? 1U : 0U;
    }
    accepted_ = static_cast<double>(entered) / static_cast<double>(clean.size());
    learn(clean);
    outstanding_.erase(outstanding_.begin(),
                       outstanding_.begin() + static_cast<std::ptrdiff_t>(population_size_));
    ++generation_;
}

nlohmann::json OptimizerBase::save() const {
    auto outstanding = nlohmann::json::array();
    for (const Genome& genome : outstanding_) {
        outstanding.push_back(encode_doubles(genome));
    }
    return {{"format", state_format},
            {"optimizer", name()},
            {"population", population_size_},
            {"seed", seed_},
            {"island", island_},
            {"genes", gene_signature(genes_)},
            {"asked", asked_},
            {"generation", generation_},
            {"accepted", encode_doubles({&accepted_, 1})},
            {"outstanding", std::move(outstanding)},
            {"archive", archive_.save()},
            {"own", save_own()}};
}

void OptimizerBase::load(const nlohmann::json& state) {
    try {
        const bool same = state.at("format") == state_format && state.at("optimizer") == name() &&
                          state.at("population") == population_size_ && state.at("seed") == seed_ &&
                          state.at("island") == island_ &&
                          state.at("genes") == gene_signature(genes_);
        if (!same) {
            throw Error("a saved search can't go on",
                        "its optimiser, population, seed, island or genes differ from the config's",
                        "resume with the config that the run began with");
        }
        std::deque<Genome> outstanding;
        for (const auto& genome : state.at("outstanding")) {
            outstanding.push_back(decode_doubles(genome, genes_.size()));
        }
        archive_.load(state.at("archive"), genes_.size());
        asked_ = state.at("asked").get<uint64_t>();
        generation_ = state.at("generation").get<uint64_t>();
        accepted_ = decode_doubles(state.at("accepted"), 1).front();
        outstanding_ = std::move(outstanding);
        load_own(state.at("own"));
    } catch (const nlohmann::json::exception& problem) {
        throw Error("the state of an optimiser can't be read", problem.what(),
                    "resume from an older checkpoint");
    }
}

}  // namespace galapagos
