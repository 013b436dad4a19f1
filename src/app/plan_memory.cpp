#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "app/plan_sections.hpp"
#include "app/quantity.hpp"
#include "forecast/gpu_memory.hpp"
#include "forecast/memory.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

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

void judge(ordered_json& m, double needs, double has) {
    m["fits"] = needs <= has;
    if (needs <= has) return;
    std::string largest = "arena";
    for (const char* part : {"kv_cache", "activations", "mapped_per_node"})
        if (m[part].get<double>() > m[largest].get<double>()) largest = part;
    m["why"] =
        fmt::format("needs {} of {} that a node has; largest part: {} {}", format_bytes(needs),
                    format_bytes(has), largest, format_bytes(m[largest].get<double>()));
}

ordered_json memory_of_node_at(int width, const PlanInputs& in, const PlanMachines& machines,
                               double process) {
    const Sharding sharding(in.donor().config(), width, 0);
    const auto decoder =
        decoder_memory(in.network.architecture, sharding, in.decoder, machines.threads);
    ordered_json m{{"width", width}};
    m["arena"] = arena_bytes(in.network.architecture, sharding, in.decoder.dtype);
    m["kv_cache"] = decoder.kv_cache;
    m["activations"] = decoder.activations;
    m["statistics"] = statistics_bytes(in.sizes.tensors, methods_of(in.config));
    m["process"] = process;
    const double rank = m["arena"].get<double>() + m["kv_cache"].get<double>() +
                        m["activations"].get<double>() + m["statistics"].get<double>() + process;
    m["rank"] = rank;
    m["mapped_per_node"] = in.sizes.files + in.sizes.adapted;
    const double node = rank * machines.ranks_per_node + in.sizes.files + in.sizes.adapted;
    m["node"] = node;
    judge(m, node, machines.limit);
    return m;
}

const char* name_of(Residency residency) {
    switch (residency) {
        case Residency::device:
            return "gpu";
        case Residency::pinned_host:
            return "pinned_host";
        case Residency::mapped_files:
            break;
    }
    return "mapped_files";
}

/// What of a GPU's memory a candidate takes. Of streamed sources the CPU takes statistics.
void add_gpu_parts(ordered_json& m, const GpuForecast& forecast) {
    const ResidencyNeeds& needs = forecast.needs;
    const bool streamed = forecast.residency == Residency::mapped_files;
    const std::size_t sources = forecast.residency == Residency::device ? needs.sources : 0;
    const std::size_t next = forecast.overlaps ? needs.candidate : 0;
    const std::size_t statistics = streamed ? needs.kept : needs.statistics;
    m["arena"] = needs.candidate;
    m["decoder"] = needs.decoder;
    m["statistics"] = statistics;
    m["tables"] = needs.tables;
    m["libraries"] = needs.libraries;
    m["context"] = context_bytes;
    m["sources"] = needs.sources;
    m["next_candidate"] = next;
    m["source_window"] = forecast.window;
    m["rank"] = needs.candidate + needs.decoder + statistics + needs.tables + needs.libraries +
                context_bytes + sources + next + forecast.window;
}

/// Whether a node's memory can hold the files of streamed sources, which its ranks share, beside
/// what these keep of statistics; else every merge reads the disk.
bool files_stay_cached(const PlanInputs& in, const PlanMachines& machines) {
    const auto statistics =
        static_cast<double>(statistics_bytes(in.sizes.tensors, methods_of(in.config)));
    return in.sizes.files + in.sizes.adapted + statistics * machines.ranks_per_node <=
           machines.node_memory;
}

GpuForecast forecast_at(int width, const PlanInputs& in, const PlanMachines& machines) {
    const auto bytes = [](double value) { return static_cast<std::size_t>(std::max(0.0, value)); };
    const FreeMemory free{bytes(machines.limit - context_bytes),
                          pinnable_bytes(bytes(machines.node_memory), machines.ranks_per_node)};
    return forecast_gpu(in.sources, in.sizes.changed, in.network.architecture, in.network.route,
                        width, in.decoder, in.network.merge_forms(), free);
}

ordered_json memory_of_gpu_at(int width, const PlanInputs& in, const PlanMachines& machines) {
    const GpuForecast forecast = forecast_at(width, in, machines);
    ordered_json m{{"width", width}};
    add_gpu_parts(m, forecast);
    m["fits"] = forecast.fits;
    if (forecast.fits) {
        m["sources_lie_in"] = name_of(forecast.residency);
        if (forecast.residency == Residency::mapped_files)
            m["merges_read"] = files_stay_cached(in, machines) ? "page_cache" : "disk";
    }
    m["why"] = forecast.why;
    return m;
}

}  // namespace

std::optional<GpuForecast> gpu_forecast(const PlanInputs& in, const PlanMachines& machines) {
    if (!machines.gpu) return std::nullopt;
    return forecast_at(in.config.evaluation.tensor_parallel, in, machines);
}

ordered_json plan_memory(const PlanInputs& in, const PlanMachines& machines) {
    const double process = process_bytes();
    ordered_json list = ordered_json::array();
    const int configured = in.config.evaluation.tensor_parallel;
    int smallest = 0;
    for (int width = 1; width <= std::max(configured, machines.ranks_per_node); ++width) {
        if (width > in.network.architecture.query_heads) break;
        if (width != configured && machines.ranks_per_node % width != 0) continue;
        list.push_back(machines.gpu ? memory_of_gpu_at(width, in, machines)
                                    : memory_of_node_at(width, in, machines, process));
        if (smallest == 0 && list.back()["fits"].get<bool>()) smallest = width;
    }
    return {{"limit", machines.limit},
            {"limit_of", machines.gpu ? "gpu" : "node"},
            {"smallest_width_that_fits", smallest},
            {"widths", list}};
}

}  // namespace galapagos
