#include "app/plan.hpp"

#include "app/plan_sections.hpp"

namespace galapagos {

using nlohmann::ordered_json;

ordered_json make_plan_report(Config config, const PlanSettings& settings) {
    const PlanInputs in = open_plan_inputs(std::move(config), settings.new_tokens);
    const PlanMachines machines = plan_machines(in.config, settings);
    ordered_json report;
    report["name"] = in.config.name;
    report["device"] = machines.gpu ? "gpu" : "cpu";
    report["nodes"] = machines.nodes;
    report["ranks_per_node"] = machines.ranks_per_node;
    report["islands"] = machines.islands;
    report["evaluators_per_island"] = machines.evaluators;
    report["tensor_parallel"] = in.config.evaluation.tensor_parallel;
    report["genome"] = {{"genes", in.space->genes().size()},
                        {"bytes", in.space->genes().size() * sizeof(double)},
                        {"population", in.population}};
    if (in.network.slots)
        report["layer_paths"] = {{"layers", in.network.architecture.layers},
                                 {"hops_at_the_start", in.running.layers},
                                 {"max_hops", in.network.max_hops}};
    report["memory"] = plan_memory(in, machines);
    report["work"] = plan_work(in);
    const PlanTimes times = plan_times(in, machines, settings);
    report["speed"] = plan_speed(times, machines);
    report["communication"] = plan_communication(in, machines);
    report["run"] = plan_run(in, machines, times, settings);
    return report;
}

}  // namespace galapagos
