#include "app/findings.hpp"

#include <fmt/format.h>

#include <cmath>

namespace galapagos {

using nlohmann::ordered_json;

namespace {

/// Hosts of the nodes for which something holds: "n1, n2 and 5 more".
template <class Holds>
std::string hosts_where(const ordered_json& nodes, Holds&& holds) {
    constexpr int shown = 4;
    std::string text;
    int count = 0;
    for (const auto& node : nodes) {
        if (!holds(node)) continue;
        if (++count > shown) continue;
        if (count > 1) text += ", ";
        text += node["host"].get<std::string>();
    }
    if (count > shown) text += fmt::format(" and {} more", count - shown);
    return text;
}

class Faults {
  public:
    explicit Faults(const ordered_json& report) : report_(report), nodes_(report["nodes"]) {}

    std::vector<Shortcoming> find() {
        cores();
        gpus();
        memory();
        files();
        clocks();
        fabric();
        slurm();
        return std::move(found_);
    }

  private:
    template <class Holds>
    void each(Holds&& holds, const char* what, const char* todo) {
        const auto hosts = hosts_where(nodes_, holds);
        if (!hosts.empty()) found_.push_back({fmt::format("{}: {}", hosts, what), todo});
    }

    void cores() {
        each([](const auto& n) { return n["threads"] > n["cores"]; }, "more threads than cores",
             "start fewer ranks a node, give tasks more cores (--cpus-per-task), or set "
             "OMP_NUM_THREADS lower.");
        each(
            [](const auto& n) {
                return n["threads"].template get<int>() * 2 <= n["cores"].template get<int>();
            },
            "at least half of the cores stay idle",
            "start more ranks a node, or raise OMP_NUM_THREADS.");
        std::size_t most = 0, fewest = SIZE_MAX;
        for (const auto& node : nodes_) {
            most = std::max(most, node["ranks"].size());
            fewest = std::min(fewest, node["ranks"].size());
        }
        if (most != fewest)
            found_.push_back({fmt::format("nodes hold {} to {} ranks", fewest, most),
                              "use --ntasks-per-node: islands of one size keep pace."});
    }

    void gpus() {
        each(
            [](const auto& n) {
                return !n["gpus"].empty() && n["ranks"].size() > n["gpus"].size();
            },
            "more ranks than GPUs",
            "start one rank a GPU (--ntasks-per-node): two on one share its memory and its time.");
    }

    void memory() {
        each([](const auto& n) { return !n["memory_limit"].is_null(); },
             "a control group allows less memory than the node has",
             "ask for all of it: --mem=0, or plan with --memory-per-node.");
        each([](const auto& n) { return n["shm_free"].template get<double>() < 64.0 * (1 << 20); },
             "/dev/shm has less than 64 MiB free",
             "MPI and tensor parallelism need it: raise its size (containers: --shm-size).");
    }

    void files() {
        const auto locking = [](const char* state) {
            return [state](const auto& n) { return n["locking"] == state; };
        };
        each(locking("the folder is not shared"),
             "the run directory's file system is not that of rank 0",
             "put the run directory on a shared file system (--run-dir).");
        each(locking("locks do not hold"), "file locks do not hold between nodes",
             "two jobs could use one run directory unnoticed; mount with locks (NFS: no nolock, "
             "Lustre: -o flock).");
        each(locking("no locks"), "the file system has no locks",
             "set HDF5_USE_FILE_LOCKING=FALSE, and never start two jobs on one run directory.");
        each(locking("no file can be made"), "no file can be made in the run directory",
             "choose another with --run-dir.");
        each([](const auto& n) { return n["free"].template get<double>() < 0x1p30; },
             "less than 1 GiB free in the run directory", "free some, or choose another.");
        each([](const auto& n) { return n["file_system"] == "tmpfs"; },
             "the run directory lies in memory", "it is lost with the node: choose another.");
    }

    void clocks() {
        each([](const auto& n) { return std::abs(n["clock_ahead"].template get<double>()) > 1; },
             "the clock differs by more than a second from rank 0's",
             "times in histories and logs will not compare; ask for NTP.");
    }

    void fabric() {
        const auto& variables = report_["environment"];
        bool devices = false;
        for (const auto& node : nodes_) devices = devices || !node["fabric"].empty();
        if (devices && variables.contains("NCCL_IB_DISABLE") && variables["NCCL_IB_DISABLE"] != "0")
            found_.push_back({"NCCL_IB_DISABLE is set although there is a fabric",
                              "unset it, or GPUs of different nodes talk over TCP."});
        if (devices && variables.contains("NCCL_SOCKET_IFNAME") &&
            variables["NCCL_SOCKET_IFNAME"] == "lo")
            found_.push_back(
                {"NCCL_SOCKET_IFNAME=lo", "name an interface that other nodes reach."});
    }

    void slurm() {
        const auto& slurm = report_["slurm"];
        if (slurm.is_null()) return;
        const int nodes = static_cast<int>(nodes_.size());
        const int width = slurm.value("tree_width", 0);
        if (slurm.value("started_by_pmix", false) && slurm.value("pmix_fence", "") != "ring" &&
            (width == 0 || width > nodes))
            found_.push_back(
                {"Slurm's PMIx plugin may not wait in MPI_Init (fewer nodes than TreeWidth)",
                 "export SLURM_PMIX_FENCE=ring before srun; the scripts in slurm/ do."});
        if (slurm.contains("mpi_plugins") &&
            slurm["mpi_plugins"].get<std::string>().find("pmix") == std::string::npos)
            found_.push_back({"this Slurm has no PMIx plugin", "start ranks with mpirun."});
        if (!slurm["seconds_left"].is_null() && slurm["seconds_left"].get<double>() < 600)
            found_.push_back({"less than ten minutes of wall time are left",
                              "runs stop early and resume: submit with a longer --time."});
    }

    const ordered_json& report_;
    const ordered_json& nodes_;
    std::vector<Shortcoming> found_;
};

}  // namespace

std::vector<Shortcoming> find_faults(const ordered_json& report) { return Faults(report).find(); }

}  // namespace galapagos
