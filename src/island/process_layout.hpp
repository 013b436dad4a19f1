// How the ranks of a job form islands and evaluators.
#pragma once

#include "comm/communicator.hpp"

namespace galapagos {

/// world -> islands (one a node by default) -> evaluators (tensor-parallel groups).
struct ProcessLayout {
    int islands = 1;
    int island = 0;      ///< of this rank
    int evaluators = 1;  ///< of this island
    int evaluator = 0;   ///< of this rank
    Communicator world;
    Communicator island_members;  ///< rank 0 is the island root
    Communicator group;           ///< the evaluator's ranks; rank 0 is the evaluator root
    Communicator
        island_roots;  ///< the roots of all islands, in island order; the null group on other ranks

    bool is_island_root() const { return island_members.is_root(); }
    bool is_evaluator_root() const { return group.is_root(); }
    /// The rank of an evaluator's root within the island.
    int evaluator_root(int index) const { return index * group.size(); }
};

/// Collective. `islands` 0 means one a node; else the ranks are cut into that many islands of
/// near-even size, neighbours together. Throws UsageError when an island's ranks don't divide into
/// groups of `tensor_parallel`, or there are fewer ranks than islands need.
ProcessLayout make_process_layout(const Communicator& world, int islands, int tensor_parallel);

}  // namespace galapagos
