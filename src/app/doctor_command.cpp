#include <fmt/format.h>
#include <hdf5.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "app/commands.hpp"
#include "app/models.hpp"
#include "app/version.hpp"
#include "base/clock.hpp"
#include "comm/device.hpp"
#include "island/stopping.hpp"

namespace galapagos {
namespace {

void line(const char* what, const std::string& finding) {
    fmt::print("  {:<14} {}\n", what, finding);
}

/// A line of /proc/meminfo in GiB; 0 where there is none.
double memory_gib(const std::string& key) {
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    double kib = 0;
    while (file >> name >> kib && std::getline(file, unit))
        if (name == key) return kib / (1 << 20);
    return 0;
}

std::string file_system_of(const char* path) {
    static const std::map<long, std::string> known{{0x6969, "NFS"},        {0xEF53, "ext4"},
                                                   {0x58465342, "XFS"},    {0x01021994, "tmpfs"},
                                                   {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
                                                   {0x9123683E, "btrfs"},  {0x794C7630, "overlay"},
                                                   {0x19830326, "BeeGFS"}, {0x00C36400, "Ceph"}};
    struct statfs status {};
    if (::statfs(path, &status) != 0) return "unknown";
    const auto found = known.find(static_cast<long>(status.f_type));
    const double free_gib =
        static_cast<double>(status.f_bavail) * static_cast<double>(status.f_bsize) / (1 << 30);
    return fmt::format(
        "{}, {:.0f} GiB free",
        found == known.end() ? fmt::format("type {:#x}", status.f_type) : found->second, free_gib);
}

void report_libraries() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    line("galapagos", fmt::format("{} ({})", program_version, git_describe));
    line("MPI", mpi_version());
    line("HDF5", fmt::format("{}.{}.{}", major, minor, release));
    const char* locking = std::getenv("HDF5_USE_FILE_LOCKING");
    line("HDF5 locking", locking != nullptr ? fmt::format("HDF5_USE_FILE_LOCKING={}", locking)
                                            : "as the file system offers");
    line("libtorch", libtorch_version);
    const auto gpus = visible_devices();
    if (gpus.devices.empty())
        line("GPU", fmt::format("none ({}): computing on the CPU", gpus.why_none));
    for (const auto& gpu : gpus.devices)
        line("GPU",
             fmt::format("{}, {:.0f} GiB, {}; not used yet", gpu.name, gpu.memory_gib, gpu.uuid));
}

void report_slurm() {
    const char* job = std::getenv("SLURM_JOB_ID");
    if (job == nullptr) return line("Slurm", "not inside an allocation");
    const auto end = job_end_from_environment();
    line("Slurm",
         fmt::format("job {}, {}", job,
                     end ? format_duration(*end - unix_time()) + " left" : "end time unknown"));
}

}  // namespace

Command add_doctor_command(CLI::App& program) {
    program.add_subcommand("doctor",
                           "Show what this machine or allocation offers, and what is missing");
    return [](const ProgramContext& context) {
        const auto& world = context.world;
        char host[256] = {};
        ::gethostname(host, sizeof host - 1);
        const int threads = use_threads(0, world);
        const auto mine = fmt::format(
            "{} rank {}: {} of {} cores usable a rank, {:.1f} of {:.1f} GiB memory available", host,
            world.rank(), threads, std::thread::hardware_concurrency(), memory_gib("MemAvailable:"),
            memory_gib("MemTotal:"));
        const auto everyone = world.all_gather(mine);
        const bool one_node = world.split_by_node().size() == world.size();
        if (!world.is_root()) return 0;
        fmt::print("Software\n");
        report_libraries();
        fmt::print("Machine\n");
        line("ranks", std::to_string(world.size()));
        for (const auto& text : everyone) line("", text);
        line("here", file_system_of("."));
        report_slurm();
        const bool oversubscribed =
            static_cast<unsigned>(world.size() * threads) > std::thread::hardware_concurrency();
        if (oversubscribed && one_node)
            fmt::print(
                "Findings\n  more threads than cores: start fewer ranks a node, or set "
                "OMP_NUM_THREADS lower.\n");
        return 0;
    };
}

}  // namespace galapagos
