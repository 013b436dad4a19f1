#include "island/process_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"

namespace galapagos {
namespace {

/// The number of this rank's node, counted in the order of the nodes' lowest world ranks.
std::pair<int, int> node_number(const Communicator& world) {
    const auto node = world.split_by_node();
    const int leader = node.broadcast_value(world.rank());
    const auto leaders = world.all_gather(std::to_string(leader));
    std::set<int> distinct;
    for (const auto& text : leaders) distinct.insert(std::stoi(text));
    return {static_cast<int>(std::distance(distinct.begin(), distinct.find(leader))),
            static_cast<int>(distinct.size())};
}

}  // namespace

ProcessLayout make_process_layout(const Communicator& world, int islands, int tensor_parallel) {
    ProcessLayout layout;
    layout.world = world;
    const int need = std::max(1, islands) * tensor_parallel;
    if (world.size() < need)
        throw UsageError(
            fmt::format("{} islands of {} tensor-parallel ranks need {} ranks",
                        std::max(1, islands), tensor_parallel, need),
            fmt::format("this job has {}", world.size()),
            fmt::format(
                "start more (mpirun -n {}), or lower islands.count or evaluation.tensor_parallel.",
                need));
    if (islands == 0) {
        std::tie(layout.island, layout.islands) = node_number(world);
    } else {
        // Cut the groups, not the ranks: an island's evaluators stay whole.
        const int groups = world.size() / tensor_parallel;
        const int group = std::min(world.rank() / tensor_parallel, groups - 1);
        layout.islands = islands;
        layout.island = static_cast<int>(static_cast<std::int64_t>(group) * islands / groups);
    }
    layout.island_members = world.split(layout.island, world.rank());
    const int ranks = layout.island_members.size();
    const bool fits = ranks % tensor_parallel == 0;
    const auto everyone = world.all_gather(fits ? "" : std::to_string(ranks));
    for (const auto& misfit : everyone)
        if (!misfit.empty())
            throw UsageError(
                fmt::format("an island of {} ranks can't be cut into groups of {}", misfit,
                            tensor_parallel),
                "evaluation.tensor_parallel must divide the ranks of every island",
                fmt::format("start a number of ranks that is a multiple of islands x {}.",
                            tensor_parallel));
    layout.evaluators = ranks / tensor_parallel;
    layout.evaluator = layout.island_members.rank() / tensor_parallel;
    layout.group = layout.island_members.split(layout.evaluator, layout.island_members.rank());
    const auto roots = world.split(layout.is_island_root() ? 0 : 1, layout.island);
    if (layout.is_island_root()) layout.island_roots = roots;
    return layout;
}

}  // namespace galapagos
