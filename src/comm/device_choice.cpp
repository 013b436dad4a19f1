#include "comm/device_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

constexpr const char* use_the_cpu = "the device cpu needs none";

/// The first text that is (not) empty; the number of texts if there is none.
std::size_t find(const std::vector<std::string>& texts, bool empty) {
    const auto found = std::find_if(texts.begin(), texts.end(), [empty](const std::string& text) {
        return text.empty() == empty;
    });
    return static_cast<std::size_t>(found - texts.begin());
}

void refuse_broken(const std::vector<std::string>& faults) {
    const std::size_t rank = find(faults, false);
    if (rank == faults.size()) return;
    throw Error(fmt::format("rank {} can't use its GPU", rank), faults[rank],
                fmt::format("nvidia-smi shows its state; {}", use_the_cpu));
}

/// Ranks that compute on the CPU beside others on GPUs would make different bits at another speed.
void refuse_mixture(const std::vector<std::string>& uuids,
                    const std::vector<std::string>& reasons) {
    const std::size_t without = find(uuids, true), with = find(uuids, false);
    if (without == uuids.size() || with == uuids.size()) return;
    throw UsageError(fmt::format("rank {} sees no GPU, but rank {} does", without, with),
                     reasons[without],
                     fmt::format("ask for GPUs on every node (--gpus-per-node); {}", use_the_cpu));
}

void refuse_sharing(const std::vector<std::string>& uuids) {
    std::map<std::string, std::size_t> owner;
    for (std::size_t rank = 0; rank < uuids.size(); ++rank) {
        const auto [first, is_new] = owner.emplace(uuids[rank], rank);
        if (is_new) continue;
        throw UsageError(fmt::format("ranks {} and {} would share one GPU", first->second, rank),
                         uuids[rank],
                         "start as many ranks a node as it has GPUs (--ntasks-per-node), or let "
                         "them share (evaluation.share_gpus, evaluate --share-gpus)");
    }
}

}  // namespace

DeviceChoice choose_device(const Communicator& world, const DeviceReport& seen,
                           DeviceSharing sharing) {
    const Communicator node = world.split_by_node();
    DeviceChoice mine;
    mine.why_none = seen.why_none;
    if (!seen.devices.empty())
        mine.device = seen.devices[static_cast<std::size_t>(node.rank()) % seen.devices.size()];

    refuse_broken(world.all_gather(seen.broken ? seen.why_none : std::string()));
    const auto uuids = world.all_gather(mine.device ? mine.device->uuid : std::string());
    refuse_mixture(uuids, world.all_gather(seen.why_none));
    if (mine.device && sharing == DeviceSharing::refused) refuse_sharing(uuids);
    return mine;
}

DeviceChoice grant_device(const Communicator& world, DeviceWish wish, const DeviceReport& seen,
                          DeviceSharing sharing) {
    if (wish == DeviceWish::cpu) return {};
    DeviceChoice choice;
    try {
        choice = choose_device(world, seen, sharing);
    } catch (const Error& error) {
        if (wish == DeviceWish::gpu) throw;
        return {std::nullopt, error.what()};
    }
    if (choice.device) return choice;
    // Ranks may have reasons of their own: all give the first one's.
    choice.why_none =
        fmt::format("no rank sees a GPU: {}", world.broadcast(std::move(choice.why_none)));
    if (wish == DeviceWish::gpu)
        throw UsageError("the device gpu can't be had", choice.why_none,
                         "use a build with CUDA (cmake --preset cuda) on a machine whose GPUs "
                         "nvidia-smi lists, or the device cpu");
    return choice;
}

}  // namespace galapagos
