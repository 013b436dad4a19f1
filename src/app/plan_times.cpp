#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "app/plan_sections.hpp"
#include "base/error.hpp"
#include "base/parallel.hpp"
#include "forecast/memory.hpp"
#include "forecast/timing.hpp"
#include "history/history_reader.hpp"
#include "model/threads.hpp"

namespace galapagos {

using nlohmann::ordered_json;

namespace {

constexpr double assumed_sigma = 0.2;

MachineFigures measure_rank(const PlanInputs& in, const PlanMachines& machines) {
    set_model_threads(machines.threads);
    set_thread_count(static_cast<int>(std::thread::hardware_concurrency()));
    auto figures = measure_cpu(in.decoder.dtype, in.decoder.max_batch,
                               static_cast<int>(in.network.architecture.hidden),
                               static_cast<int>(in.network.architecture.intermediate));
    figures.bandwidth /= machines.ranks_per_node;  // a node's ranks share it
    return figures;
}

MachineFigures figures_of_rank(const PlanInputs& in, const PlanMachines& machines,
                               const PlanSettings& settings) {
    MachineFigures figures;
    if (machines.gpu)
        figures = assumed_gpu();
    else if (settings.tflops == 0 || settings.bandwidth == 0)
        figures = measure_rank(in, machines);
    int given = 0;
    const auto take = [&given](double setting, double unit, double& figure) {
        if (setting == 0) return;
        figure = setting * unit;
        ++given;
    };
    take(settings.tflops, 1e12, figures.flops);
    take(settings.bandwidth, 1e9, figures.bandwidth);
    if (machines.gpu) take(settings.bus_bandwidth, 1e9, figures.bus);
    const bool linked = machines.gpu && in.config.evaluation.tensor_parallel > 1;
    if (linked) take(settings.link_bandwidth, 1e9, figures.link);
    if (given == 2 + (machines.gpu ? 1 : 0) + (linked ? 1 : 0))
        figures.source = "the figures given";
    else if (given > 0)
        figures.source += given == 1 ? ", and the figure given" : ", and the figures given";
    return figures;
}

/// Every source is read once and the candidate written; what a GPU doesn't hold comes over its bus.
void add_merge_times(const PlanInputs& in, const PlanMachines& machines, PlanTimes& times) {
    if (in.network.slots) return;  // merged once, before the first candidate
    double bytes = static_cast<double>(arena_bytes(
        in.network.architecture, Sharding(in.donor().config(), 1, 0), in.decoder.dtype));
    for (const auto& tensor : in.sizes.tensors) bytes += static_cast<double>(tensor.bytes());
    times.merge = bytes / (in.config.evaluation.tensor_parallel * times.rank.bandwidth);
    const auto gpu = gpu_forecast(in, machines);
    if (!gpu || !gpu->fits || gpu->residency == Residency::device) return;
    times.merge = std::max(times.merge, static_cast<double>(gpu->needs.sources) / times.rank.bus);
    times.merges_overlap = gpu->overlaps;
}

TimeSpread times_in_history(const std::string& run) {
    std::vector<double> seconds;
    for (const auto& island : read_run(run).islands)
        for (const auto& candidate : island.candidates)
            if (candidate.status == CandidateStatus::evaluated)
                seconds.push_back(candidate.merge_seconds + candidate.evaluation_seconds);
    if (seconds.empty())
        throw UsageError(fmt::format("--like {}: refused", run),
                         "no candidate was evaluated there");
    return spread_of(seconds);
}

}  // namespace

PlanTimes plan_times(const PlanInputs& in, const PlanMachines& machines,
                     const PlanSettings& settings) {
    PlanTimes times;
    times.rank = figures_of_rank(in, machines, settings);
    add_merge_times(in, machines, times);
    const auto evaluation_by = [&](const MachineFigures& rank, Split split) {
        return workload_seconds(in.running, in.decoder, in.workload(split), rank,
                                in.config.evaluation.tensor_parallel);
    };
    const auto evaluation = [&](Split split) { return evaluation_by(times.rank, split); };
    const double train = evaluation(Split::train);
    MachineFigures alone = times.rank;
    alone.link = 0;
    times.sums = train - evaluation_by(alone, Split::train);
    const double estimated =
        times.merges_overlap ? std::max(times.merge, train) : times.merge + train;
    times.candidate = estimated;
    times.candidate_source = "estimated from these figures";
    times.sigma = assumed_sigma;
    if (!settings.like.empty()) {
        const TimeSpread measured = times_in_history(settings.like);
        times.candidate = measured.mean;
        times.sigma = measured.sigma;
        times.candidate_source = fmt::format("measured in {}", settings.like);
    }
    if (settings.seconds_per_candidate > 0) {
        times.candidate = settings.seconds_per_candidate;
        times.candidate_source = "given";
    }
    if (settings.straggler_sigma) times.sigma = *settings.straggler_sigma;
    const double finalists =
        std::ceil(in.config.selection.finalists / static_cast<double>(machines.evaluators));
    times.final = times.candidate / estimated *
                  (finalists * (times.merge + evaluation(Split::validation)) + times.merge +
                   evaluation(Split::test));
    return times;
}

ordered_json plan_speed(const PlanTimes& times, const PlanMachines& machines) {
    ordered_json speed{{"tflops", times.rank.flops / 1e12},
                       {"gigabytes_per_second", times.rank.bandwidth / 1e9}};
    if (machines.gpu) speed["bus_gigabytes_per_second"] = times.rank.bus / 1e9;
    if (machines.gpu) speed["link_gigabytes_per_second"] = times.rank.link / 1e9;
    speed.update(
        {{"figures", times.rank.source},
         {"sums_seconds", times.sums},
         {"merge_seconds", times.merge},
         {"merges_overlap", times.merges_overlap},
         {"seconds_per_candidate", times.candidate},
         {"seconds_source", times.candidate_source},
         {"straggler_sigma", times.sigma},
         {"candidates_per_hour", 3600 / times.candidate * machines.evaluators * machines.islands},
         {"final_seconds", times.final}});
    return speed;
}

}  // namespace galapagos
