#include "app/models.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

#include "base/parallel.hpp"
#include "model/threads.hpp"

namespace galapagos {

std::vector<std::shared_ptr<const Source>> open_models(const std::vector<ModelEntry>& entries) {
    std::vector<std::shared_ptr<const Source>> models;
    for (const auto& entry : entries) models.push_back(Source::open(entry.spec()));
    return models;
}

namespace {

/// Cores that this process may run on; with ranks that may all run on the same ones, its share of
/// them.
int share_of_cores(const Communicator& world) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    std::string mask;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) mask += CPU_ISSET(cpu, &allowed) ? '1' : '0';
    const auto masks = world.split_by_node().all_gather(mask);
    const auto sharers = std::count(masks.begin(), masks.end(), mask);
    return std::max(1, CPU_COUNT(&allowed) / static_cast<int>(sharers));
}

}  // namespace

int use_threads(int wanted, const Communicator& world) {
    const int share = share_of_cores(world);
    if (wanted == 0) {
        const char* text = std::getenv("OMP_NUM_THREADS");
        wanted = text != nullptr && std::atoi(text) > 0 ? std::atoi(text) : share;
    }
    set_thread_count(wanted);
    set_model_threads(wanted);
    return wanted;
}

std::string mpi_version() {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
    int length = 0;
    MPI_Get_library_version(text, &length);
    std::string version(text, static_cast<std::size_t>(length));
    return version.substr(0, version.find('\n'));
}

}  // namespace galapagos
