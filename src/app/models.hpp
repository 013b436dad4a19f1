// Opening models and sharing out the machine: what several subcommands do alike.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "comm/communicator.hpp"

namespace galapagos {

/// Where a node keeps copies of the models, if it does.
struct NodeCopies {
    std::filesystem::path storage;  ///< node-local; empty: models are read where they lie
    bool makes = false;             ///< whether this process makes the copies: one of each node
};

/// A copy that can't be made costs a warning: its model is read where it lies. Tokens that the
/// first model doesn't have are left out of the others.
std::vector<std::shared_ptr<const Source>> open_models(const std::vector<ModelEntry>& entries,
                                                       const NodeCopies& copies = {});

/// Collective. Sets the threads of this rank and returns them: `wanted`, or with 0 OMP_NUM_THREADS,
/// or this rank's share of the cores that the ranks of its node may run on.
int use_threads(int wanted, const Communicator& world);

/// "Open MPI v4.1.4, ...": the library that is running.
std::string mpi_version();

}  // namespace galapagos
