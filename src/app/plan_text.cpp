#include <fmt/format.h>

#include "app/plan.hpp"
#include "app/quantity.hpp"
#include "base/clock.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

std::string line(const char* what, const std::string& text) {
    return fmt::format("  {:<16} {}\n", what, text);
}

std::string bytes_of(const ordered_json& map, const char* key) {
    return map.contains(key) ? format_bytes(map[key].get<double>()) : "-";
}

std::string verdict(const ordered_json& m) {
    if (!m["fits"].get<bool>()) return m["why"].get<std::string>();
    const std::string place = m.value("sources_lie_in", "");
    if (place == "pinned_host") return "fits, sources in pinned memory";
    return place == "mapped_files" ? "fits, sources streamed from their files" : "fits";
}

/// Where the sources of the run lie, why, and what that costs.
std::string sources_text(const ordered_json& m) {
    std::string text = line("sources", m["why"].get<std::string>());
    if (m.contains("merges_read"))
        text += line("merges read", m["merges_read"] == "disk"
                                        ? "the disk: by arithmetic, a node's memory can't cache "
                                          "all files of the sources"
                                        : "the page cache: by arithmetic, a node's memory holds "
                                          "all files of the sources, once for all ranks");
    return text;
}

/// A table of these parts of each width.
std::string memory_table(const ordered_json& memory,
                         const std::vector<std::pair<const char*, const char*>>& parts) {
    std::string text = "  width";
    for (const auto& [title, key] : parts) text += fmt::format(" {:>11}", title);
    text += "\n";
    for (const auto& m : memory["widths"]) {
        text += fmt::format("  {:>5}", m["width"].get<int>());
        for (const auto& [title, key] : parts) text += fmt::format(" {:>11}", bytes_of(m, key));
        text += "  " + verdict(m) + "\n";
    }
    return text;
}

std::string memory_text(const ordered_json& report) {
    const ordered_json& memory = report["memory"];
    const bool gpu = memory["limit_of"] == "gpu";
    std::string text =
        fmt::format("Memory (limit: {} a {})\n", format_bytes(memory["limit"].get<double>()),
                    gpu ? "GPU" : "node");
    text += gpu ? memory_table(memory, {{"candidate", "arena"},
                                        {"decoder", "decoder"},
                                        {"statistics", "statistics"},
                                        {"sources", "sources"},
                                        {"a GPU", "rank"}})
                : memory_table(memory, {{"arena", "arena"},
                                        {"KV cache", "kv_cache"},
                                        {"activations", "activations"},
                                        {"a rank", "rank"},
                                        {"mapped", "mapped_per_node"},
                                        {"a node", "node"}});
    const int smallest = memory["smallest_width_that_fits"].get<int>();
    text +=
        line("fits from", smallest > 0 ? fmt::format("tensor_parallel {}", smallest)
                                       : std::string("no width that divides the ranks of a node: "
                                                     "more memory, or a smaller max_batch"));
    if (!gpu) return text;
    for (const auto& m : memory["widths"])
        if (m["width"] == report["tensor_parallel"] && m["fits"].get<bool>())
            text += sources_text(m);
    return text + line("note",
                       "a run on GPUs checks these figures at its start; no GPU has run "
                       "one yet (docs/gpu.md)");
}

std::string speed_text(const ordered_json& report) {
    const auto& work = report["work"];
    const auto& speed = report["speed"];
    std::string text = "Speed\n";
    text +=
        line("a candidate",
             fmt::format("{} passes, {} tokens, {:.3g} TFLOP, {} read", work["passes"].get<int>(),
                         work["tokens"].get<std::int64_t>(), work["flops"].get<double>() / 1e12,
                         format_bytes(work["bytes"].get<double>())));
    const std::string bus = speed.contains("bus_gigabytes_per_second")
                                ? fmt::format(", {:.3g} GB/s from the host",
                                              speed["bus_gigabytes_per_second"].get<double>())
                                : "";
    text += line("a rank",
                 fmt::format("{:.3g} TFLOPS, {:.3g} GB/s{} ({})", speed["tflops"].get<double>(),
                             speed["gigabytes_per_second"].get<double>(), bus,
                             speed["figures"].get<std::string>()));
    text += line(
        "a merge",
        fmt::format("{:.3g} s{}", speed["merge_seconds"].get<double>(),
                    speed["merges_overlap"].get<bool>() ? ", beside the evaluation before" : ""));
    text += line("takes", fmt::format("{} a candidate ({})",
                                      format_duration(speed["seconds_per_candidate"].get<double>()),
                                      speed["seconds_source"].get<std::string>()));
    text += line("throughput", fmt::format("{:.0f} candidates an hour, all evaluators busy",
                                           speed["candidates_per_hour"].get<double>()));
    const auto& c = report["communication"];
    const double sums = speed["sums_seconds"].get<double>();
    text += line("collectives",
                 fmt::format("{} a rank and generation; {}",
                             bytes_of(c, "all_reduce_bytes_per_rank_and_generation"),
                             sums > 0 ? fmt::format("{:.3g} s of a candidate's time", sums)
                                      : "their time is not counted"));
    text += line("migrants", fmt::format("{} an island and generation",
                                         bytes_of(c, "migrant_bytes_per_island_and_generation")));
    return text;
}

std::string run_text(const ordered_json& report) {
    const auto& run = report["run"];
    const auto& wall = run["wall_seconds"];
    const auto duration = [](const ordered_json& value) {
        return format_duration(value.get<double>());
    };
    std::string text = fmt::format(
        "Run ({} simulated, candidates' times spread by a factor e^{:.2f})\n",
        run["simulated_runs"].get<int>(), report["speed"]["straggler_sigma"].get<double>());
    text += line("wall time", fmt::format("{} (from {} to {} in 8 of 10)", duration(wall["p50"]),
                                          duration(wall["p10"]), duration(wall["p90"])));
    text +=
        line("work", fmt::format("{:.0f} generations an island, {:.0f} candidates, evaluators "
                                 "busy {:.1f} %",
                                 run["generations"].get<double>(), run["evaluations"].get<double>(),
                                 100 * run["utilisation"].get<double>()));
    if (run.contains("failures")) {
        const auto& f = run["failures"];
        text += line("failures",
                     fmt::format("{:.2f} a run; {} not running, {} of one evaluator lost{}",
                                 f["mean"].get<double>(), duration(f["down_seconds"]),
                                 duration(f["evaluator_seconds_lost"]),
                                 f["given_up"].get<int>() > 0
                                     ? fmt::format("; {} runs gave up after fruitless restarts",
                                                   f["given_up"].get<int>())
                                     : ""));
    }
    if (run.contains("energy_kwh"))
        text += line("energy", fmt::format("{:.3g} kWh", run["energy_kwh"].get<double>()));
    text += "Window and lag (one simulated run each)\n";
    for (const auto& v : run["variants"]) {
        const bool deterministic = v["mode"] == "deterministic";
        text += line(
            deterministic ? "deterministic" : "asynchronous",
            fmt::format("{:<22} {:>8}   busy {:.1f} %",
                        deterministic ? fmt::format("window {:>3}, lag {}", v["window"].get<int>(),
                                                    v["lag"].get<int>())
                                      : "",
                        duration(v["wall_seconds"]), 100 * v["utilisation"].get<double>()));
    }
    return text;
}

}  // namespace

std::string describe_plan(const ordered_json& report) {
    std::string text =
        fmt::format("{}: {} genes ({}), population {}\n", report["name"].get<std::string>(),
                    report["genome"]["genes"].get<int>(), bytes_of(report["genome"], "bytes"),
                    report["genome"]["population"].get<int>());
    if (report.contains("layer_paths")) {
        const auto& paths = report["layer_paths"];
        text += fmt::format(
            "paths through {} layers, of up to {} hops; times are those of the first, of {}\n",
            paths["layers"].get<int>(), paths["max_hops"].get<int>(),
            paths["hops_at_the_start"].get<int>());
    }
    text += fmt::format(
        "{} nodes x {} ranks on the {}: {} islands x {} evaluators x {} tensor-parallel ranks\n",
        report["nodes"].get<int>(), report["ranks_per_node"].get<int>(),
        report["device"] == "gpu" ? "GPU" : "CPU", report["islands"].get<int>(),
        report["evaluators_per_island"].get<int>(), report["tensor_parallel"].get<int>());
    return text + memory_text(report) + speed_text(report) + run_text(report);
}

}  // namespace galapagos
