#include "base/host.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace galapagos {

namespace fs = std::filesystem;

namespace {

/// A number in a small file, if it is less; not where the file says "max" or isn't there.
void lower_to(const fs::path& path, std::size_t& limit) {
    std::ifstream file(path);
    if (std::size_t value = 0; file >> value) limit = std::min(limit, value);
}

}  // namespace

std::string host_name() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name[0] == '\0' ? "unknown" : name;
}

std::string processor_name() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(": ");
        if (line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
    }
    return "unknown";
}

std::size_t total_memory() {
    return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
           static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t memory_limit() {
    return memory_limit("/proc/self/cgroup", "/sys/fs/cgroup", total_memory());
}

std::size_t memory_limit(const fs::path& groups, const fs::path& root, std::size_t most) {
    std::ifstream file(groups);
    std::size_t limit = most;
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (second == line.npos) continue;
        const auto controllers = line.substr(first + 1, second - first - 1);
        const bool old = controllers.find("memory") != controllers.npos;
        if (!old && !controllers.empty()) continue;
        const fs::path folder = old ? root / "memory" : root;
        const char* name = old ? "memory.limit_in_bytes" : "memory.max";
        for (fs::path group = line.substr(second + 1);; group = group.parent_path()) {
            lower_to(folder / group.relative_path() / name, limit);
            if (!group.has_relative_path()) break;
        }
    }
    return limit;
}

std::size_t available_memory() {
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    std::size_t kib = 0;
    while (file >> name >> kib && std::getline(file, unit))
        if (name == "MemAvailable:") return kib * 1024;
    return total_memory();
}

}  // namespace galapagos
