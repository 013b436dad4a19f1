#include <dlfcn.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <regex>

#include "app/commands.hpp"
#include "app/findings.hpp"
#include "app/models.hpp"
#include "app/node_facts.hpp"
#include "app/quantity.hpp"
#include "app/together.hpp"
#include "app/version.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "comm/device_choice.hpp"
#include "island/stopping.hpp"

extern char** environ;

namespace galapagos {

using nlohmann::ordered_json;

namespace {

/// "2.28.9" of the NCCL that would be loaded; nothing where there is none.
std::string nccl_version() {
    void* library = ::dlopen("libnccl.so.2", RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) return "";
    const auto get = reinterpret_cast<int (*)(int*)>(::dlsym(library, "ncclGetVersion"));
    int version = 0;
    if (get == nullptr || get(&version) != 0) return "unknown";
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

/// What a command prints; empty when it fails.
std::string output_of(const std::string& command) {
    std::string text;
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return text;
    std::array<char, 4096> part{};
    while (const std::size_t count = std::fread(part.data(), 1, part.size(), pipe))
        text.append(part.data(), count);
    return ::pclose(pipe) == 0 ? text : "";
}

ordered_json software() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return {{"galapagos", fmt::format("{} ({})", program_version, git_describe)},
            {"MPI", mpi_version()},
            {"HDF5", fmt::format("{}.{}.{}", major, minor, release)},
            {"libtorch", libtorch_version},
            {"NCCL", nccl_version()}};
}

/// The variables that steer libraries and launchers.
ordered_json environment() {
    static const std::regex wanted(
        "(NCCL_|OMPI_MCA_(btl|pml|mtl|io|mpi)|FI_|UCX_|OMP_|HDF5_USE_FILE_LOCKING|CUDA_VISIBLE_"
        "DEVICES|"
        "GALAPAGOS_|SLURM_PMIX_FENCE|SLURM_MPI_TYPE).*");
    ordered_json found = ordered_json::object();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const char* equals = std::strchr(*entry, '=');
        if (equals == nullptr) continue;
        const std::string name(*entry, static_cast<std::size_t>(equals - *entry));
        if (std::regex_match(name, wanted)) found[name] = equals + 1;
    }
    return found;
}

ordered_json slurm() {
    const char* job = std::getenv("SLURM_JOB_ID");
    if (job == nullptr) return nullptr;
    ordered_json found{{"job", job}};
    const auto end = job_end_from_environment();
    found["seconds_left"] = end ? ordered_json(*end - unix_time()) : ordered_json();
    const char* fence = std::getenv("SLURM_PMIX_FENCE");
    // The plugin calls its jobs slurm.pmix.JOB.STEP; mpirun inside an allocation calls them
    // otherwise.
    const char* space = std::getenv("PMIX_NAMESPACE");
    found["started_by_pmix"] = space != nullptr && std::strncmp(space, "slurm.pmix", 10) == 0;
    found["pmix_fence"] = fence != nullptr ? fence : "";
    if (const auto plugins = output_of("srun --mpi=list"); !plugins.empty())
        found["mpi_plugins"] = plugins;
    std::smatch match;
    const auto config = output_of("scontrol show config");
    if (std::regex_search(config, match, std::regex("TreeWidth\\s*=\\s*(\\d+)")))
        found["tree_width"] = std::stoi(match[1]);
    return found;
}

void line(const std::string& what, const std::string& finding) {
    fmt::print("  {:<14} {}\n", what, finding);
}

std::string node_line(const ordered_json& n) {
    std::string gpus = n["gpus"].empty() ? "no GPU" : "";
    for (const auto& [uuid, gpu] : n["gpus"].items())
        gpus += fmt::format("{}{} {:.0f} GiB {}", gpus.empty() ? "" : ", ",
                            gpu["name"].get<std::string>(), gpu["gib"].get<double>(), uuid);
    return fmt::format(
        "{} ranks, {} threads on {} cores, {} of {} memory available{}, {}, /dev/shm {} free, {} "
        "{} "
        "free, locks: {}, clock {:+.3f} s{}",
        n["ranks"].size(), n["threads"].get<int>(), n["cores"].get<int>(),
        format_bytes(n["memory_available"].get<double>()), format_bytes(n["memory"].get<double>()),
        n["memory_limit"].is_null()
            ? ""
            : fmt::format(" (limit {})", format_bytes(n["memory_limit"].get<double>())),
        gpus, format_bytes(n["shm_free"].get<double>()), n["file_system"].get<std::string>(),
        format_bytes(n["free"].get<double>()), n["locking"].get<std::string>(),
        n["clock_ahead"].get<double>(),
        n["fabric"].empty() ? "" : fmt::format(", fabric {}", n["fabric"].dump()));
}

void print_report(const ordered_json& report) {
    fmt::print("Software\n");
    for (const auto& [name, version] : report["software"].items())
        line(name, version == "" ? "none found" : version.get<std::string>());
    fmt::print("Machine ({} ranks on {} nodes; files: {})\n", report["ranks"].get<int>(),
               report["nodes"].size(), report["folder"].get<std::string>());
    for (const auto& node : report["nodes"]) line(node["host"].get<std::string>(), node_line(node));
    const auto& automatic = report["device_auto"];
    line("device auto", automatic["device"] == "gpu"
                            ? "would take the GPU on every rank"
                            : "would take the CPU: " + automatic["why"].get<std::string>());
    const auto& slurm = report["slurm"];
    line("Slurm",
         slurm.is_null()
             ? std::string("not inside an allocation")
             : fmt::format("job {}, {}", slurm["job"].get<std::string>(),
                           slurm["seconds_left"].is_null()
                               ? "end time unknown"
                               : format_duration(slurm["seconds_left"].get<double>()) + " left"));
    for (const auto& [name, value] : report["environment"].items())
        line(name, value.get<std::string>());
    fmt::print("Findings\n");
    if (report["findings"].empty()) fmt::print("  nothing to do\n");
    for (const auto& finding : report["findings"])
        fmt::print("  {}\n    {}\n", finding["what"].get<std::string>(),
                   finding["todo"].get<std::string>());
}

/// Collective. What `evaluation.device: auto` would choose for these ranks.
ordered_json automatic_device(const Communicator& world) {
    const auto choice =
        grant_device(world, DeviceWish::automatic, visible_devices(), DeviceSharing::refused);
    if (choice.device) return {{"device", "gpu"}};
    return {{"device", "cpu"}, {"why", choice.why_none}};
}

int run_doctor(const std::string& folder, bool as_json, const ProgramContext& context) {
    const auto& world = context.world;
    together(world, [&] {
        if (!std::filesystem::is_directory(folder))
            throw UsageError(fmt::format("--run-dir {}: refused", folder), "it is no folder",
                             "make it first, or leave the option out.");
    });
    const auto nodes = gather_node_facts(world, use_threads(0, world), folder);
    const auto automatic = automatic_device(world);
    if (!world.is_root()) return 0;
    ordered_json report{{"software", software()},
                        {"ranks", world.size()},
                        {"folder", std::filesystem::absolute(folder).lexically_normal().string()},
                        {"nodes", nodes},
                        {"device_auto", automatic},
                        {"slurm", slurm()},
                        {"environment", environment()}};
    auto& findings = report["findings"] = ordered_json::array();
    for (const auto& fault : find_faults(report))
        findings.push_back({{"what", fault.what}, {"todo", fault.todo}});
    if (as_json)
        fmt::print("{}\n", report.dump(2));
    else
        print_report(report);
    return 0;
}

}  // namespace

Command add_doctor_command(CLI::App& program) {
    auto* command = program.add_subcommand(
        "doctor", "Show what this machine or allocation offers, what is missing, and what to do");
    const auto folder = std::make_shared<std::string>(".");
    const auto as_json = std::make_shared<bool>(false);
    command->add_option("--run-dir", *folder,
                        "folder whose file system is tried (default: the current one)");
    command->add_flag("--json", *as_json, "print one JSON document");
    return [folder, as_json](const ProgramContext& context) {
        return run_doctor(*folder, *as_json, context);
    };
}

}  // namespace galapagos
