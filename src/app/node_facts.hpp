// What one node offers to a job, as its ranks see it.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <vector>

#include "comm/communicator.hpp"

namespace galapagos {

/// Collective over world. On rank 0 one object a node, in the order of the nodes' lowest ranks:
/// host, ranks, cores, threads, memory, limits, GPUs with the ranks that see them, fabric devices,
/// /dev/shm, the file system of `folder`, whether its locks hold between nodes, and the clock's
/// distance from rank 0's. `threads`: of this rank.
std::vector<nlohmann::ordered_json> gather_node_facts(const Communicator& world, int threads,
                                                      const std::filesystem::path& folder);

}  // namespace galapagos
