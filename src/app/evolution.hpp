// An evolution on its way: what `galapagos evolve` opens, in the order in which it does.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/run_device.hpp"
#include "history/run_directory.hpp"
#include "island/island.hpp"
#include "island/process_layout.hpp"

namespace galapagos {

/// Everything an evolution needs, opened.
struct Evolution {
    Config config;
    ProcessLayout layout;
    RunDevice device;
    std::vector<std::shared_ptr<const Source>> models;
    std::vector<WeightedTask> tasks;
    std::shared_ptr<const SearchSpace> space;
    std::vector<std::unique_ptr<Optimizer>> optimizers;  // of layout.islands_here()
    std::unique_ptr<ModelEvaluator> evaluator;
    RunLayout run;
    std::filesystem::path stage;            // where nodes keep copies of the models; empty: nowhere
    std::optional<RunDirectory> directory;  // rank 0
    int attempt = 1;
    std::string uuid;
    std::vector<std::uint64_t> first_generations;  // per island
};

/// Cuts the ranks into hosts and evaluators, and shares out GPUs and cores. `run` must be set: a
/// run keeps its islands on fewer nodes, and gets more on more. All of these are collective.
void lay_out(Evolution& evolution, const Communicator& world);

/// Opens models and tasks, and checks all that can be checked before the run directory is touched.
void open_inputs(Evolution& evolution);

/// Rank 0 creates or reopens the run directory; the others learn its state.
void open_run_directory(Evolution& evolution, Resume resume, const ProgramContext& context);

/// On an island root: the islands of this host, brought to their newest checkpoints. Takes
/// evolution.optimizers. All roots must call it, and none may go on before all are done.
std::vector<IslandParts> make_islands(Evolution& evolution);

}  // namespace galapagos
