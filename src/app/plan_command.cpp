#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/plan.hpp"
#include "app/quantity.hpp"

namespace galapagos {
namespace {

struct PlanArguments {
    std::string config;
    std::vector<std::string> settings;
    PlanSettings plan;
    std::string gpu_memory, memory_per_node, mtbf, requeue, start;
    bool json = false;
};

int run_plan(PlanArguments a, const ProgramContext& context) {
    if (!context.world.is_root()) return 0;
    const auto config = load_config(a.config, a.settings);
    if (!a.gpu_memory.empty()) a.plan.gpu_memory = parse_bytes("--gpu-memory", a.gpu_memory);
    if (!a.memory_per_node.empty())
        a.plan.memory_per_node = parse_bytes("--memory-per-node", a.memory_per_node);
    if (!a.mtbf.empty()) a.plan.mtbf = parse_duration("--mtbf", a.mtbf);
    if (!a.requeue.empty()) a.plan.requeue_seconds = parse_duration("--requeue-delay", a.requeue);
    if (!a.start.empty()) a.plan.start_seconds = parse_duration("--start-time", a.start);
    const auto report = make_plan_report(config, a.plan);
    fmt::print("{}", a.json ? report.dump(2) + "\n" : describe_plan(report));
    return 0;
}

void add_machine_options(CLI::App& command, PlanArguments& a) {
    command.add_option("--nodes", a.plan.nodes, "nodes (default: 1)")->check(CLI::PositiveNumber);
    command
        .add_option("--ranks-per-node", a.plan.ranks_per_node,
                    "ranks a node (default: one evaluator an island)")
        ->check(CLI::PositiveNumber);
    command.add_option("--gpu-memory", a.gpu_memory,
                       "memory of each GPU, one a rank: 80G (default: ranks compute on the CPU)");
    command.add_option("--memory-per-node", a.memory_per_node,
                       "main memory of a node: 256G (default: this machine's)");
    command
        .add_option("--tflops", a.plan.tflops,
                    "matrix products of a rank, in 10^12 operations a second (default: measured "
                    "here; GPU: 40 % of an H100 SXM's 989)")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--bandwidth", a.plan.bandwidth,
                    "memory bandwidth of a rank in GB/s (default: measured here; GPU: 70 % of "
                    "3350)")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--bus-bandwidth", a.plan.bus_bandwidth,
                    "from a node's memory to each of its GPUs in GB/s (default: 70 % of 63, PCIe "
                    "5), for sources that lie there")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--link-bandwidth", a.plan.link_bandwidth,
                    "between the GPUs of an evaluator, each way, in GB/s (default: 70 % of 450, "
                    "NVLink 4), for sums over tensor-parallel ranks")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--node-watts", a.plan.node_watts, "power of a node, for an estimate of energy")
        ->check(CLI::PositiveNumber);
}

void add_time_options(CLI::App& command, PlanArguments& a) {
    command
        .add_option("--seconds-per-candidate", a.plan.seconds_per_candidate,
                    "instead of an estimate from the machine's figures")
        ->check(CLI::PositiveNumber);
    command.add_option("--like", a.plan.like,
                       "take the candidates' times and their spread from an earlier run directory");
    command
        .add_option("--new-tokens", a.plan.new_tokens,
                    "tokens that a generated row has on average (default: the task's limit)")
        ->check(CLI::PositiveNumber);
    command
        .add_option("--straggler-sigma", a.plan.straggler_sigma,
                    "spread of candidates' times: standard deviation of their logarithm (default: "
                    "as in --like, else 0.2)")
        ->check(CLI::NonNegativeNumber);
    command
        .add_option("--island-sigma", a.plan.island_sigma,
                    "the same of lasting differences between islands (default: 0)")
        ->check(CLI::NonNegativeNumber);
    command.add_option("--mtbf", a.mtbf,
                       "mean time between failures of one node: 5y (default: none fails)");
    command.add_option("--requeue-delay", a.requeue,
                       "from a failure until the job runs again (default: 60s)");
    command.add_option("--start-time", a.start,
                       "from the start of a job to its first candidate (default: 30s)");
    command.add_option("--repeats", a.plan.repeats, "simulated runs at most (default: 20)")
        ->check(CLI::PositiveNumber);
}

}  // namespace

Command add_plan_command(CLI::App& program) {
    auto* command = program.add_subcommand(
        "plan", "What a run will need: memory, time, energy, failures; needs no allocation or GPU");
    const auto arguments = std::make_shared<PlanArguments>();
    command->add_option("config", arguments->config, "YAML config file")->required();
    add_machine_options(*command, *arguments);
    add_time_options(*command, *arguments);
    command->add_option("--set", arguments->settings, "set a key of the config, as in evolve")
        ->allow_extra_args(false);
    command->add_flag("--json", arguments->json, "print one JSON document");
    return [arguments](const ProgramContext& context) { return run_plan(*arguments, context); };
}

}  // namespace galapagos
