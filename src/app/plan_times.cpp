#include <fmt/format.h>

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
    const bool flops_given = settings.tflops > 0, bandwidth_given = settings.bandwidth > 0;
    if (machines.gpu)
        figures = assumed_gpu();
    else if (!flops_given || !bandwidth_given)
        figures = measure_rank(in, machines);
    if (flops_given) figures.flops = settings.tflops * 1e12;
    if (bandwidth_given) figures.bandwidth = settings.bandwidth * 1e9;
    if (flops_given && bandwidth_given)
        figures.source = "the figures given";
    else if (flops_given || bandwidth_given)
        figures.source += ", and the figure given";
    return figures;
}

double seconds_of_merge(const PlanInputs& in, const MachineFigures& rank) {
    if (in.network.slots) return 0;  // done once, before the first candidate
    double bytes = static_cast<double>(arena_bytes(
        in.network.architecture, Sharding(in.donor().config(), 1, 0), in.decoder.dtype));
    for (const auto& tensor : in.sizes.tensors) bytes += static_cast<double>(tensor.bytes());
    return bytes / (in.config.evaluation.tensor_parallel * rank.bandwidth);
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
    const double merge = seconds_of_merge(in, times.rank);
    const auto evaluation = [&](Split split) {
        return workload_seconds(in.running, in.decoder.dtype, in.workload(split), times.rank,
                                in.config.evaluation.tensor_parallel);
    };
    const double estimated = merge + evaluation(Split::train);
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
    times.final =
        times.candidate / estimated *
        (finalists * (merge + evaluation(Split::validation)) + merge + evaluation(Split::test));
    return times;
}

ordered_json plan_speed(const PlanTimes& times, const PlanMachines& machines) {
    return {
        {"tflops", times.rank.flops / 1e12},
        {"gigabytes_per_second", times.rank.bandwidth / 1e9},
        {"figures", times.rank.source},
        {"seconds_per_candidate", times.candidate},
        {"seconds_source", times.candidate_source},
        {"straggler_sigma", times.sigma},
        {"candidates_per_hour", 3600 / times.candidate * machines.evaluators * machines.islands},
        {"final_seconds", times.final}};
}

}  // namespace galapagos
