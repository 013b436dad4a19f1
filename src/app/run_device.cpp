#include "app/run_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/gpu_candidates.hpp"
#include "app/together.hpp"
#include "base/host.hpp"
#include "island/cpu_candidate.hpp"
#include "weights/instruction_set.hpp"

namespace galapagos {
namespace {

std::string joined(const std::set<std::string>& kinds) {
    return fmt::format("{}", fmt::join(kinds, ", "));
}

/// Of ranks that compute on what they name.
std::string kinds_of(const Communicator& world, const std::vector<std::string>& names) {
    const std::set<std::string> kinds(names.begin(), names.end());
    if (kinds.size() > 1 && world.is_root())
        print_warning(fmt::format(
            "several kinds of processors ({}): scores may depend, to rounding, on which of them "
            "evaluates a candidate. Ask for nodes of one kind (sbatch --constraint)",
            joined(kinds)));
    return joined(kinds);
}

RunDevice on_gpus(const Communicator& world, const DeviceInfo& mine) {
    together(world, [&] { use_device(mine); });
    const auto names = world.all_gather(mine.name);
    const auto uuids = world.all_gather(mine.uuid);
    const auto ranks_on_gpu = std::count(uuids.begin(), uuids.end(), mine.uuid);
    RunDevice device;
    device.kind = DeviceWish::gpu;
    device.make_candidate =
        gpu_candidates(static_cast<int>(ranks_on_gpu), world.split_by_node().size());
    std::map<std::string, std::set<std::string>> gpus;  // UUIDs by name
    for (std::size_t rank = 0; rank < names.size(); ++rank) gpus[names[rank]].insert(uuids[rank]);
    for (const auto& [name, distinct] : gpus)
        device.name +=
            fmt::format("{}{} x {}", device.name.empty() ? "" : ", ", distinct.size(), name);
    device.kinds = kinds_of(world, names);
    return device;
}

RunDevice on_cpu(const Communicator& world, const std::string& why) {
    std::string kind;
    together(world,
             [&] { kind = fmt::format("{} ({})", processor_name(), name_of(instruction_set())); });
    return {DeviceWish::cpu, "cpu", why, kinds_of(world, world.all_gather(kind)),
            make_cpu_candidate};
}

}  // namespace

RunDevice take_device(const Communicator& world, DeviceWish wish, bool share_gpus) {
    DeviceChoice choice;
    alike([&] {
        const auto seen = wish == DeviceWish::cpu ? DeviceReport() : visible_devices();
        choice = grant_device(world, wish, seen,
                              share_gpus ? DeviceSharing::allowed : DeviceSharing::refused);
    });
    if (choice.device) return on_gpus(world, *choice.device);
    return on_cpu(world, choice.why_none);
}

std::string describe(const RunDevice& device) {
    if (device.kind == DeviceWish::gpu)
        return fmt::format("computing on {} (no GPU has proven this path yet, see docs/gpu.md)",
                           device.name);
    return device.why_cpu.empty() ? "computing on the CPU"
                                  : fmt::format("computing on the CPU ({})", device.why_cpu);
}

}  // namespace galapagos
