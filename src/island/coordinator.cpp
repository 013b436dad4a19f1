#include "island/coordinator.hpp"

#include <limits>
#include <tuple>

namespace galapagos {

using nlohmann::json;

Coordinator::Coordinator(RootChannel& channel, int islands, CoordinatorCallbacks callbacks)
    : channel_(channel),
      islands_(islands),
      callbacks_(std::move(callbacks)),
      best_fitness_(-std::numeric_limits<double>::infinity()) {}

void Coordinator::poll() {
    while (const auto message = channel_.next_for_coordinator()) handle(*message);
}

void Coordinator::handle(const json& message) {
    const auto kind = message.at("kind").get<std::string>();
    if (kind == "progress") {
        if (!callbacks_.progress) return;
        callbacks_.progress({message.at("island"), message.at("generation"),
                             message.at("evaluations"), message.at("best"), message.at("mean"),
                             message.at("seconds"), message.at("seconds_per_candidate"),
                             message.at("seconds_left")});
    } else if (kind == "best") {
        const BestSoFar best{message.at("id"), message.at("fitness"),
                             message.at("genome").get<Genome>()};
        if (best.fitness <= best_fitness_) return;
        best_fitness_ = best.fitness;
        if (callbacks_.best) callbacks_.best(best);
    } else if (kind == "stop") {
        if (!closed_) channel_.to_all(message);
        closed_ = true;
    } else if (kind == "finished") {
        finished_.insert(message.at("island").get<int>());
        if (static_cast<int>(finished_.size()) == islands_ && !closed_)
            channel_.to_all({{"kind", "validate"}});
    } else if (kind == "validated") {
        finalists_[message.at("island").get<int>()] = message.at("finalists");
        if (static_cast<int>(finalists_.size()) == islands_) choose_winner();
    } else if (kind == "tested") {
        winner_["test"] = message.at("test");
        if (!closed_) channel_.to_all({{"kind", "done"}, {"winner", winner_}});
        closed_ = true;
    }
}

void Coordinator::choose_winner() {
    // By validation fitness (without validation items by train alone), then train fitness, then the
    // lower id. Islands report in any order, the map restores theirs.
    for (const auto& [island, list] : finalists_) {
        for (const auto& finalist : list) {
            const auto key = [](const json& f) {
                const double train = f.at("train").at("fitness").get<double>();
                const json& validation = f.at("validation");
                return std::tuple(
                    validation.is_null() ? train : validation.at("fitness").get<double>(), train);
            };
            if (winner_.is_null() || key(finalist) > key(winner_)) winner_ = finalist;
        }
    }
    if (closed_) return;
    if (winner_.is_null()) {
        channel_.to_all({{"kind", "done"}, {"winner", nullptr}});
        closed_ = true;
    } else {
        channel_.to_all({{"kind", "test"}, {"candidate", winner_}});
    }
}

}  // namespace galapagos
