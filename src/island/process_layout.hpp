// How the ranks of a job form islands and evaluators.
#pragma once

#include <vector>

#include "comm/communicator.hpp"

namespace galapagos {

/// world -> hosts (one a node by default) -> evaluators (tensor-parallel groups). A host carries
/// one island, or several where a run has more islands than the job has hosts for: after the loss
/// of a node the others adopt its island.
struct ProcessLayout {
    int islands = 1;
    int hosts = 1;
    int host = 0;        ///< of this rank
    int evaluators = 1;  ///< of this host
    int evaluator = 0;   ///< of this rank
    Communicator world;
    Communicator members;  ///< the ranks of this host; rank 0 is the island root
    Communicator group;    ///< the evaluator's ranks; rank 0 is the evaluator root
    Communicator roots;    ///< the roots of all hosts, in host order; the null group on other ranks

    bool is_island_root() const { return members.is_root(); }
    bool is_evaluator_root() const { return group.is_root(); }
    /// The rank of an evaluator's root within the host.
    int evaluator_root(int index) const { return index * group.size(); }
    /// The host that carries an island.
    int host_of(int island) const;
    /// The islands that this rank's host carries, ascending.
    std::vector<int> islands_here() const;
};

/// Collective. `islands` 0 means that every node is a host, with one island each but at least
/// `at_least` in all (those that a resumed run has already); else the ranks are cut into that many
/// hosts of near-even size, neighbours together, or as many as there are tensor-parallel groups.
/// Throws UsageError when a host's ranks don't divide into groups of `tensor_parallel`.
ProcessLayout make_process_layout(const Communicator& world, int islands, int tensor_parallel,
                                  int at_least = 1);

}  // namespace galapagos
