// Opening models and sharing out the machine: what several subcommands do alike.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "comm/communicator.hpp"

namespace galapagos {

std::vector<std::shared_ptr<const Source>> open_models(const std::vector<ModelEntry>& entries);

/// Collective. Sets the threads of this rank and returns them: `wanted`, or with 0 OMP_NUM_THREADS,
/// or this rank's share of the cores that the ranks of its node may run on.
int use_threads(int wanted, const Communicator& world);

/// "Open MPI v4.1.4, ...": the library that is running.
std::string mpi_version();

}  // namespace galapagos
