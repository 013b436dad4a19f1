#include "app/plan_sections.hpp"
#include "island/migration.hpp"

namespace galapagos {

using nlohmann::ordered_json;

ordered_json plan_work(const PlanInputs& in) {
    double flops = 0, bytes = 0;
    const auto& train = in.workload(Split::train);
    for (const auto& pass : train.passes) {
        flops += pass_flops(in.running, pass);
        bytes += pass_bytes(in.running, in.decoder.dtype, pass);
    }
    return {{"passes", train.passes.size()},
            {"tokens", train.total().tokens},
            {"flops", flops},
            {"bytes", bytes}};
}

ordered_json plan_communication(const PlanInputs& in, const PlanMachines& machines) {
    double sums = 0;
    const double generation = static_cast<double>(in.population);
    if (in.config.evaluation.tensor_parallel > 1)
        for (const auto& pass : in.workload(Split::train).passes)
            sums += pass_collective_bytes(in.running, pass);
    MigrantPacket packet;
    packet.migrants.assign(static_cast<std::size_t>(in.config.migration.elites),
                           {0, Genome(in.space->genes().size(), 1.0 / 3), 1.0 / 3});
    const auto targets =
        make_topology(in.config.migration, machines.islands, 1).targets.front().size();
    const double migrants =
        static_cast<double>(pack(packet).size() * targets) / in.config.migration.interval;
    return {{"all_reduce_bytes_per_rank_and_candidate", sums},
            {"all_reduce_bytes_per_rank_and_generation", sums * generation / machines.evaluators},
            {"migrant_bytes_per_island_and_generation", migrants}};
}

}  // namespace galapagos
