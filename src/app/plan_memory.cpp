#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "app/plan_sections.hpp"
#include "app/quantity.hpp"
#include "forecast/memory.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

/// Device memory for the CUDA context, NCCL's buffers and the libraries' workspaces.
constexpr double gpu_reserve = 0x1p30;

/// Resident memory of this process before it has loaded a model: libtorch, MPI, HDF5.
double process_bytes() {
    std::ifstream file("/proc/self/statm");
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::vector<Method> methods_of(const Config& config) {
    std::vector<Method> methods;
    for (const auto& name : config.merge.methods)
        if (const auto method = parse_method(name)) methods.push_back(*method);
    return methods;
}

void judge(ordered_json& m, double needs, double has, const char* where) {
    m["fits"] = needs <= has;
    if (needs <= has) return;
    std::string largest = "arena";
    for (const char* part : {"kv_cache", "activations", "sources", "mapped_per_node"})
        if (m.contains(part) && m[part].get<double>() > m[largest].get<double>()) largest = part;
    m["why"] =
        fmt::format("needs {} of {} that {} has; largest part: {} {}", format_bytes(needs),
                    format_bytes(has), where, largest, format_bytes(m[largest].get<double>()));
}

ordered_json memory_at(int width, const PlanInputs& in, const PlanMachines& machines,
                       double process) {
    const Sharding sharding(in.donor->config(), width, 0);
    const auto decoder = decoder_memory(in.architecture, sharding, in.decoder, machines.threads);
    ordered_json m{{"width", width}};
    m["arena"] = arena_bytes(in.architecture, sharding, in.decoder.dtype);
    m["kv_cache"] = decoder.kv_cache;
    m["activations"] = decoder.activations;
    m["statistics"] = statistics_bytes(in.sizes.tensors, methods_of(in.config));
    double rank =
        m["arena"].get<double>() + m["kv_cache"].get<double>() + m["activations"].get<double>();
    if (machines.gpu) {
        m["sources"] = sharded_bytes(in.sizes.tensors, sharding);
        m["reserve"] = gpu_reserve;
        rank += m["sources"].get<double>() + gpu_reserve;
        m["rank"] = rank;
        judge(m, rank, machines.limit, "a GPU");
        return m;
    }
    m["process"] = process;
    rank += m["statistics"].get<double>() + process;
    m["rank"] = rank;
    m["mapped_per_node"] = in.sizes.files + in.sizes.adapted;
    const double node = rank * machines.ranks_per_node + in.sizes.files + in.sizes.adapted;
    m["node"] = node;
    judge(m, node, machines.limit, "a node");
    return m;
}

}  // namespace

ordered_json plan_memory(const PlanInputs& in, const PlanMachines& machines) {
    const double process = process_bytes();
    ordered_json list = ordered_json::array();
    const int configured = in.config.evaluation.tensor_parallel;
    int smallest = 0;
    for (int width = 1; width <= std::max(configured, machines.ranks_per_node); ++width) {
        if (width > in.architecture.query_heads) break;
        if (width != configured && machines.ranks_per_node % width != 0) continue;
        list.push_back(memory_at(width, in, machines, process));
        if (smallest == 0 && list.back()["fits"].get<bool>()) smallest = width;
    }
    return {{"limit", machines.limit},
            {"limit_of", machines.gpu ? "gpu" : "node"},
            {"smallest_width_that_fits", smallest},
            {"widths", list}};
}

}  // namespace galapagos
