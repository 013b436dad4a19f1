// What a plan is made from: the config with its models and tasks, and the machines.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "app/config.hpp"
#include "app/plan.hpp"
#include "forecast/workload.hpp"
#include "island/candidate_network.hpp"
#include "merge/cuda/resident_sources.hpp"

namespace galapagos {

/// Sizes of the models, from their headers.
struct SourceSizes {
    double files = 0;                 ///< bytes of weight files that are mapped, each folder once
    double adapted = 0;               ///< bytes of the cache files of adapters
    std::vector<TensorSpec> tensors;  ///< of all sources
    cuda::OwnTensors changed;         ///< by their adapters
};

struct PlanInputs {
    Config config;
    SourceSizes sizes;
    /// Without their adapters, whose tensors have the same names, shapes and types.
    std::vector<std::shared_ptr<const Source>> sources;
    std::shared_ptr<const SearchSpace> space;
    CandidateNetwork network;
    /// What runs in it: under a layer path the hops that a search starts with, in place of layers.
    Architecture running;
    DecoderOptions decoder;
    /// Of one candidate, per split.
    std::array<Workload, all_splits.size()> workloads;
    std::uint64_t population = 0;

    /// The base, or where there is none the first source.
    const Source& donor() const { return *sources.front(); }
    const Workload& workload(Split split) const {
        return workloads[static_cast<std::size_t>(split)];
    }
};

/// Opens headers of models and the tasks. `new_tokens`: as in count_workload.
PlanInputs open_plan_inputs(Config config, int new_tokens);

/// The machines, and what of the run lies where.
struct PlanMachines {
    bool gpu = false;
    int nodes = 1;
    int ranks_per_node = 1;
    double limit = 0;  ///< memory of a GPU, or else of a node
    double node_memory = 0;
    int islands = 1;
    int evaluators = 1;  ///< an island
    int threads = 1;     ///< a rank
};

/// Settings that are not given are those that the config needs, or this machine's. Throws
/// UsageError when the run needs more ranks.
PlanMachines plan_machines(const Config& config, const PlanSettings& settings);

}  // namespace galapagos
