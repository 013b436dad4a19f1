// The part of host 0's root that looks at the whole run.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "genome/gene.hpp"
#include "island/root_channel.hpp"

namespace galapagos {

/// One finished generation of an island, for people to read.
struct ProgressReport {
    int island = 0;
    std::uint64_t generation = 0;   ///< generations finished
    std::uint64_t evaluations = 0;  ///< candidates told
    double best = 0;
    double mean = 0;
    double seconds = 0;  ///< since the start of this attempt
    double seconds_per_candidate = 0;
    double seconds_left = 0;  ///< until the budget is used up; infinity when unknown
};

/// A new best of the whole run.
struct BestSoFar {
    std::uint64_t id = 0;
    double fitness = 0;
    Genome genome;
};

struct CoordinatorCallbacks {
    std::function<void(const ProgressReport&)> progress;
    std::function<void(const BestSoFar&)> best;
};

/// Handles what the islands report. Protocol, in order: every island says `finished`; `validate`
/// goes to all; every island says `validated` with its finalists; `test` goes to all, and the
/// winner's island says `tested`; `done` goes to all. At any time a root may say `stop`, which then
/// goes to all unless the run is done.
class Coordinator {
  public:
    Coordinator(RootChannel& channel, int islands, CoordinatorCallbacks callbacks);
    /// Handles the messages that have come.
    void poll();

  private:
    void handle(const nlohmann::json& message);
    void choose_winner();

    RootChannel& channel_;
    int islands_;
    CoordinatorCallbacks callbacks_;
    std::set<int> finished_;
    std::map<int, nlohmann::json> finalists_;
    nlohmann::json winner_;
    double best_fitness_;
    bool closed_ = false;  // `stop` or `done` went out
};

}  // namespace galapagos
