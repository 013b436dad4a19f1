#include "app/models.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "app/together.hpp"
#include "base/clock.hpp"
#include "base/host.hpp"
#include "base/parallel.hpp"
#include "model/threads.hpp"
#include "weights/staging.hpp"

namespace galapagos {

namespace {

/// The folder of this node's copy; empty if there is none.
std::filesystem::path copy_of(const ModelEntry& entry, const NodeCopies& copies) {
    const ModelFolder original(entry.model);
    try {
        const Staging staging(copies.storage, DigestMemo(default_cache_folder()));
        if (copies.makes) return staging.copy(original);
        return staging.find(original).value_or(std::filesystem::path());
    } catch (const std::exception& error) {
        if (copies.makes)
            print_warning(
                fmt::format("{}: {}; the model is read where it lies", host_name(), error.what()));
        return {};
    }
}

}  // namespace

std::vector<std::shared_ptr<const Source>> open_models(const std::vector<ModelEntry>& entries,
                                                       const NodeCopies& copies) {
    std::vector<std::shared_ptr<const Source>> models;
    const Stopwatch watch;
    std::size_t staged = 0;
    for (const auto& entry : entries) {
        SourceOptions options;
        if (!copies.storage.empty()) options.copy = copy_of(entry, copies);
        staged += options.copy.empty() ? 0 : 1;
        if (!models.empty()) options.tokens = token_count(*models.front());  // the base's
        models.push_back(Source::open(entry.spec(), options));
    }
    if (copies.makes && staged > 0) {
        fmt::print("{}: {} of {} models staged in {} ({:.1f} s)\n", host_name(), staged,
                   entries.size(), copies.storage.string(), watch.seconds());
        std::fflush(stdout);
    }
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
    const std::string version(text);  // the length that Open MPI tells counts the final NUL
    return version.substr(0, version.find('\n'));
}

}  // namespace galapagos
