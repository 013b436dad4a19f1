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

int ProcessLayout::host_of(int island) const {
    return static_cast<int>(static_cast<std::int64_t>(island) * hosts / islands);
}

std::vector<int> ProcessLayout::islands_here() const {
    std::vector<int> here;
    for (int island = 0; island < islands; ++island)
        if (host_of(island) == host) here.push_back(island);
    return here;
}

ProcessLayout make_process_layout(const Communicator& world, int islands, int tensor_parallel,
                                  int at_least) {
    ProcessLayout layout;
    layout.world = world;
    if (world.size() < tensor_parallel)
        throw UsageError(fmt::format("evaluation.tensor_parallel: {} needs {} ranks",
                                     tensor_parallel, tensor_parallel),
                         fmt::format("this job has {}", world.size()),
                         fmt::format("start more (mpirun -n {}), or lower it.", tensor_parallel));
    if (islands == 0) {
        std::tie(layout.host, layout.hosts) = node_number(world);
        layout.islands = std::max(layout.hosts, at_least);
    } else {
        // Cut the groups, not the ranks: a host's evaluators stay whole.
        const int groups = world.size() / tensor_parallel;
        const int group = std::min(world.rank() / tensor_parallel, groups - 1);
        layout.islands = islands;
        layout.hosts = std::min(islands, groups);
        layout.host = static_cast<int>(static_cast<std::int64_t>(group) * layout.hosts / groups);
    }
    layout.members = world.split(layout.host, world.rank());
    const int ranks = layout.members.size();
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
    layout.evaluator = layout.members.rank() / tensor_parallel;
    layout.group = layout.members.split(layout.evaluator, layout.members.rank());
    const auto roots = world.split(layout.is_island_root() ? 0 : 1, layout.host);
    if (layout.is_island_root()) layout.roots = roots;
    return layout;
}

}  // namespace galapagos
