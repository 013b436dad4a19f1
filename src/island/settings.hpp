// The sections islands, migration, budget and selection of the config.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/options.hpp"
#include "evolve/optimizer_settings.hpp"

namespace galapagos {

/// How results are told to the optimiser.
enum class Mode {
    deterministic,  ///< in ask order, after a fixed number of asks: same history whatever the
                    ///< timing
    asynchronous,   ///< candidates are drawn when an evaluator asks for one
};

/// What differs on some islands.
struct IslandOverride {
    std::vector<int> islands;
    OptimizerSettings optimizer;
};

struct IslandSettings {
    int count = 0;  ///< 0: one a node
    Mode mode = Mode::deterministic;
    /// Candidates of the next generation that may be drawn before this one is told; -1: half the
    /// population. Keeps evaluators busy while the slowest candidates of a generation finish; 0
    /// waits for them.
    int window = -1;
    /// Seconds without progress after which a process is taken for hung and the job ended; 0:
    /// never.
    double watchdog = 1800;
    std::vector<IslandOverride> overrides;
};

enum class TopologyKind { none, ring, fully_connected, star, random_regular };
enum class MigrantSelection { best, random, tournament };
enum class MigrantReplacement {
    fair,       ///< the optimiser merges migrants with its own and keeps the best
    improving,  ///< only migrants fitter than the island's best are offered to the optimiser
};

struct MigrationSettings {
    TopologyKind topology = TopologyKind::ring;
    int degree = 2;    ///< of random_regular
    int interval = 2;  ///< generations between two migrations
    int elites = 1;    ///< migrants to each neighbour
    MigrantSelection selection = MigrantSelection::best;
    MigrantReplacement replacement = MigrantReplacement::fair;
    int lag = 1;  ///< generations between sending and taking in: hides slower neighbours
};

/// The run ends when the first of these is reached; 0 or none means no limit.
struct BudgetSettings {
    std::int64_t evaluations = 0;  ///< per island
    std::int64_t generations = 0;
    double wall_time = 0;          ///< seconds, of this attempt
    std::optional<double> target;  ///< fitness
};

struct SelectionSettings {
    int finalists = 4;  ///< candidates of each island that validation chooses from
};

void visit_options(OptionVisitor& visitor, IslandSettings& settings,
                   const OptimizerSettings& common);
void visit_options(OptionVisitor& visitor, MigrationSettings& settings);
void visit_options(OptionVisitor& visitor, BudgetSettings& settings);
void visit_options(OptionVisitor& visitor, SelectionSettings& settings);

}  // namespace galapagos
