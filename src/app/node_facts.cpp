#include "app/node_facts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/clock.hpp"
#include "base/host.hpp"
#include "comm/device.hpp"

namespace galapagos {

using nlohmann::json;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

constexpr int tag_clock = 901;

/// Bytes of a line of /proc/meminfo; 0 where there is none.
double memory_line(const std::string& key) {
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    double kib = 0;
    while (file >> name >> kib && std::getline(file, unit))
        if (name == key) return kib * 1024;
    return 0;
}

std::string file_system_of(const fs::path& path) {
    static const std::map<long, std::string> known{{0x6969, "NFS"},        {0xEF53, "ext4"},
                                                   {0x58465342, "XFS"},    {0x01021994, "tmpfs"},
                                                   {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
                                                   {0x9123683E, "btrfs"},  {0x794C7630, "overlay"},
                                                   {0x19830326, "BeeGFS"}, {0x00C36400, "Ceph"}};
    struct statfs status {};
    if (::statfs(path.c_str(), &status) != 0) return "unknown";
    const auto found = known.find(static_cast<long>(status.f_type));
    return found == known.end() ? fmt::format("type {:#x}", status.f_type) : found->second;
}

double free_bytes(const char* path) {
    struct statvfs status {};
    if (::statvfs(path, &status) != 0) return 0;
    return static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize);
}

std::vector<std::string> entries_of(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

/// What a rank knows of itself.
json rank_facts(const Communicator& world, int threads) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::vector<int> cores;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &allowed)) cores.push_back(cpu);
    json gpus = json::array();
    const auto report = visible_devices();
    for (const auto& gpu : report.devices)
        gpus.push_back({{"uuid", gpu.uuid}, {"name", gpu.name}, {"gib", gpu.memory_gib}});
    return {{"rank", world.rank()},
            {"threads", threads},
            {"cores", cores},
            {"gpus", gpus},
            {"why_none", report.why_none}};
}

ordered_json node_of(const std::vector<std::string>& ranks, const fs::path& folder) {
    ordered_json node{{"host", host_name()}};
    std::set<int> cores;
    int threads = 0;
    ordered_json numbers = ordered_json::array();
    std::map<std::string, json> gpus;
    std::string why_none;
    for (const auto& text : ranks) {
        const auto rank = json::parse(text);
        numbers.push_back(rank["rank"].get<int>());
        threads += rank["threads"].get<int>();
        for (const int core : rank["cores"].get<std::vector<int>>()) cores.insert(core);
        why_none = rank["why_none"].get<std::string>();
        for (const auto& gpu : rank["gpus"]) {
            auto& known = gpus[gpu["uuid"].get<std::string>()];
            if (known.is_null()) known = {{"name", gpu["name"]}, {"gib", gpu["gib"]}};
            known["ranks"].push_back(rank["rank"]);
        }
    }
    node["ranks"] = numbers;
    node["cores"] = cores.size();
    node["threads"] = threads;
    node["memory"] = memory_line("MemTotal:");
    node["memory_available"] = memory_line("MemAvailable:");
    const std::size_t limit = memory_limit();
    node["memory_limit"] =
        limit < total_memory() ? ordered_json(static_cast<double>(limit)) : ordered_json();
    node["gpus"] = gpus;
    if (gpus.empty()) node["why_no_gpu"] = why_none;
    node["fabric"] = entries_of("/sys/class/infiniband");
    node["shm_free"] = free_bytes("/dev/shm");
    node["file_system"] = file_system_of(folder);
    node["free"] = free_bytes(folder.c_str());
    return node;
}

/// A lock that lives as long as the object; `held` says whether it was to be had.
class TriedLock {
  public:
    explicit TriedLock(const fs::path& path, bool create)
        : descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600)) {
        if (descriptor_ >= 0) held = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
        if (!held) error = errno;
    }
    ~TriedLock() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    TriedLock(const TriedLock&) = delete;
    TriedLock& operator=(const TriedLock&) = delete;
    bool opened() const { return descriptor_ >= 0; }

    bool held = false;
    int error = 0;

  private:
    int descriptor_;
};

/// Collective. Rank 0 locks a file in the folder as HDF5 does, every node tries to take it too.
/// What this rank found: "holds" is as it should be.
std::string try_locking(const Communicator& world, const fs::path& folder) {
    const auto path =
        world.broadcast((folder / fmt::format(".galapagos-doctor-{}", ::getpid())).string());
    std::string found;
    {
        std::optional<TriedLock> lock;
        if (world.is_root()) {
            lock.emplace(path, true);
            if (!lock->opened())
                found = "no file can be made";
            else if (!lock->held)
                found = "no locks";
        }
        const auto of_root = world.broadcast(found);
        if (of_root.empty()) {
            const TriedLock second(path, false);
            found = !second.opened() ? "the folder is not shared"
                    : second.held    ? "locks do not hold"
                                     : "holds";
        } else {
            found = of_root;
        }
        world.barrier();
    }
    if (world.is_root()) ::unlink(path.c_str());
    return found;
}

/// Collective over leaders. Seconds that each leader's clock is ahead of rank 0's, to within half
/// of the quickest exchange of three.
double clock_offset(const Communicator& leaders) {
    constexpr int tries = 3;
    double mine = 0;
    for (int peer = 1; peer < leaders.size(); ++peer) {
        double quickest = INFINITY, offset = 0;
        for (int i = 0; i < tries; ++i) {
            if (leaders.is_root()) {
                const double sent = unix_time();
                leaders.send("?", peer, tag_clock);
                const double theirs = std::stod(leaders.receive(peer, tag_clock));
                const double took = unix_time() - sent;
                if (took >= quickest) continue;
                quickest = took;
                offset = theirs - sent - took / 2;
            } else if (leaders.rank() == peer) {
                leaders.receive(0, tag_clock);
                leaders.send(fmt::format("{:.9f}", unix_time()), 0, tag_clock);
            }
        }
        if (leaders.is_root()) leaders.send(fmt::format("{:.9f}", offset), peer, tag_clock);
        if (leaders.rank() == peer) mine = std::stod(leaders.receive(0, tag_clock));
    }
    while (leaders.pending_sends() > 0) ::usleep(100);
    return mine;
}

}  // namespace

std::vector<ordered_json> gather_node_facts(const Communicator& world, int threads,
                                            const fs::path& folder) {
    const auto node = world.split_by_node();
    const auto ranks = node.all_gather(rank_facts(world, threads).dump());
    const auto locking = try_locking(world, folder);
    const auto leaders = world.split(node.is_root() ? 0 : 1, world.rank());
    if (!node.is_root()) return {};
    auto facts = node_of(ranks, folder);
    facts["locking"] = locking;
    facts["clock_ahead"] = clock_offset(leaders);
    std::vector<ordered_json> all;
    for (const auto& text : leaders.all_gather(facts.dump()))
        all.push_back(ordered_json::parse(text));
    return all;
}

}  // namespace galapagos
