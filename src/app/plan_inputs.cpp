#include "app/plan_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "base/host.hpp"
#include "weights/adapter.hpp"

namespace galapagos {

namespace {

SourceSizes measure_models(const std::vector<ModelEntry>& entries) {
    SourceSizes sizes;
    std::set<std::string> seen;
    for (const auto& entry : entries) {
        const ModelFolder folder(entry.model);
        if (seen.insert(entry.model).second)
            for (const auto& file : folder.weight_files())
                sizes.files += static_cast<double>(std::filesystem::file_size(file.path()));
        for (const auto& name : folder.tensor_names()) {
            const auto tensor = folder.tensor(name);
            sizes.tensors.push_back({name, tensor.dtype, tensor.shape});
        }
        sizes.changed.emplace_back();
        if (entry.adapter.empty()) continue;
        for (const auto& name : Adapter(entry.adapter, folder).changed_tensors()) {
            sizes.adapted += static_cast<double>(folder.tensor(name).bytes());
            sizes.changed.back().insert(name);
        }
    }
    return sizes;
}

/// Per split.
using PreparedTasks =
    std::array<std::vector<std::unique_ptr<const PreparedTask>>, all_splits.size()>;

PreparedTasks prepare_tasks(const Config& config, const Source& donor) {
    const auto tokenizer = Tokenizer::load(donor.folder().folder());
    PreparedTasks tasks;
    for (const auto& entry : config.tasks) {
        const auto task = Task::load(entry.file);
        for (const Split split : all_splits)
            if (!task.items(split).empty())
                tasks[static_cast<std::size_t>(split)].push_back(
                    prepare(task, split, tokenizer, prepare_options(donor)));
    }
    return tasks;
}

DecoderOptions decoder_options(const EvaluationSettings& evaluation, const PreparedTasks& tasks) {
    int longest = 1;
    for (const auto& list : tasks)
        for (const auto& task : list) longest = std::max(longest, task->longest_row());
    DecoderOptions options;
    options.dtype = evaluation.dtype;
    options.max_batch = evaluation.max_batch;
    options.max_tokens = longest;
    options.batch_tokens = std::max(evaluation.batch_tokens, longest);
    options.reductions = evaluation.reductions;
    return options;
}

}  // namespace

PlanInputs open_plan_inputs(Config config, int new_tokens) {
    PlanInputs in;
    const auto entries = config.models();
    in.sizes = measure_models(entries);
    SourceOptions options;
    for (const auto& entry : entries) {
        in.sources.push_back(Source::open({entry.reference(), entry.model, std::nullopt}, options));
        options.tokens = token_count(*in.sources.front());
    }
    in.space = make_search_space(config, in.sources);
    in.network = network_of(*in.space, in.sources);
    in.running = in.network.architecture;
    if (in.network.slots)
        in.running.layers = static_cast<std::int64_t>(in.network.route.hops.size());
    const auto tasks = prepare_tasks(config, in.donor());
    in.decoder = decoder_options(config.evaluation, tasks);
    in.decoder.max_hops = in.network.max_hops;
    for (std::size_t split = 0; split < tasks.size(); ++split)
        in.workloads[split] = count_workload(tasks[split], in.decoder, new_tokens);
    in.population = make_optimizer(config.optimizer, in.space->genes(), 1, 0)->population_size();
    in.config = std::move(config);
    return in;
}

PlanMachines plan_machines(const Config& config, const PlanSettings& settings) {
    PlanMachines machines;
    machines.gpu = settings.gpu_memory > 0;
    machines.nodes = settings.nodes;
    const int width = config.evaluation.tensor_parallel;
    const int islands = config.islands.count > 0 ? config.islands.count : settings.nodes;
    machines.islands = islands;
    machines.ranks_per_node = settings.ranks_per_node > 0
                                  ? settings.ranks_per_node
                                  : (islands * width + settings.nodes - 1) / settings.nodes;
    machines.node_memory = settings.memory_per_node > 0 ? settings.memory_per_node
                                                        : static_cast<double>(total_memory());
    machines.limit = machines.gpu ? settings.gpu_memory : machines.node_memory;
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    machines.threads = config.evaluation.threads > 0 ? config.evaluation.threads
                                                     : std::max(1, cores / machines.ranks_per_node);
    const int ranks = machines.nodes * machines.ranks_per_node;
    if (ranks < islands * width)
        throw UsageError(
            fmt::format("{} islands of {} tensor-parallel ranks need {} ranks", islands, width,
                        islands * width),
            fmt::format("{} nodes of {} ranks are {}", machines.nodes, machines.ranks_per_node,
                        ranks),
            "plan counts one evaluator an island at least: raise --ranks-per-node or --nodes.");
    machines.evaluators = ranks / width / islands;
    return machines;
}

}  // namespace galapagos
