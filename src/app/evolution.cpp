#include "app/evolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/models.hpp"
#include "app/run_files.hpp"
#include "app/together.hpp"
#include "app/version.hpp"
#include "base/error.hpp"
#include "weights/finite.hpp"

namespace galapagos {
namespace {

/// The islands that a run has already; 0 where there is no run.
int islands_so_far(const RunLayout& run) {
    if (!std::filesystem::exists(run.index())) return 0;
    return static_cast<int>(read_run_index(run.index()).islands);
}

OptimizerSettings optimizer_of_island(const Config& config, int island) {
    for (const auto& item : config.islands.overrides)
        if (std::find(item.islands.begin(), item.islands.end(), island) != item.islands.end())
            return item.optimizer;
    return config.optimizer;
}

std::vector<WeightedTask> open_tasks(const Config& config) {
    std::vector<WeightedTask> tasks;
    std::set<std::string> names;
    for (const auto& entry : config.tasks) {
        tasks.push_back({Task::load(entry.file), entry.weight});
        if (!names.insert(tasks.back().task.name()).second)
            throw UsageError(fmt::format("{}: refused", entry.file),
                             fmt::format("two tasks are called {}", tasks.back().task.name()),
                             "scores go by these names: change the `name` in one of the files.");
        if (tasks.back().task.items(Split::train).empty())
            throw UsageError(fmt::format("{}: refused", entry.file),
                             "the task has no train items, and fitness comes from those",
                             "name a file under items.train.");
    }
    return tasks;
}

/// The provenance of an attempt under which its processors go.
constexpr const char* processors = "processors";

std::string processors_of(const IndexAttempt& attempt) {
    for (const auto& [name, value] : attempt.provenance)
        if (name == processors) return value;
    return {};
}

void warn_of_other_processors(const std::vector<IndexAttempt>& attempts) {
    if (attempts.size() < 2) return;
    const std::string before = processors_of(attempts[attempts.size() - 2]);
    const std::string now = processors_of(attempts.back());
    if (before != now)
        print_warning(
            fmt::format("this run computed on {}, and goes on on {}: scores may differ by rounding "
                        "from what the other would give",
                        before, now));
}

std::vector<std::pair<std::string, std::string>> provenance(const ProgramContext& context,
                                                            const Evolution& evolution) {
    auto list = basic_provenance(context.arguments);
    list.emplace_back("galapagos", program_version);
    list.emplace_back("git", git_describe);
    list.emplace_back("libtorch", libtorch_version);
    list.emplace_back("mpi", mpi_version());
    list.emplace_back("ranks", std::to_string(context.world.size()));
    list.emplace_back("device", evolution.device.name);
    list.emplace_back(processors, evolution.device.kinds);
    list.emplace_back("seed", std::to_string(evolution.config.seed));
    return list;
}

}  // namespace

void lay_out(Evolution& evolution, const Communicator& world) {
    auto& config = evolution.config;
    int so_far = 0;
    together(world, [&] {
        if (world.is_root()) so_far = islands_so_far(evolution.run);
    });
    so_far = world.broadcast_value(so_far);
    together(world, [&] {
        if (config.islands.count > 0 && config.islands.count < so_far)
            throw UsageError(
                fmt::format("{}: a run keeps its islands", evolution.run.root.string()),
                fmt::format("it has {}, islands.count is {}", so_far, config.islands.count),
                "leave the count out, or raise it; fewer ranks can carry all of them.");
    });
    alike([&] {
        evolution.layout = make_process_layout(world, config.islands.count,
                                               config.evaluation.tensor_parallel, so_far);
    });
    evolution.device = take_device(world, config.evaluation.device, config.evaluation.share_gpus);
    // What was chosen is what ran, and what a resumed run has to have again.
    config.evaluation.device = evolution.device.kind;
    config.islands.count = evolution.layout.islands;
    config.evaluation.threads = use_threads(config.evaluation.threads, world);
}

void open_inputs(Evolution& evolution) {
    const auto& world = evolution.layout.world;
    const auto& config = evolution.config;
    const auto seed = static_cast<std::uint64_t>(config.seed);
    // On every rank, also those that a launcher has not told where to stage.
    const NodeCopies copies{evolution.stage, world.split_by_node().is_root()};
    together_once_a_node(world, [&] { evolution.models = open_models(config.models(), copies); });
    together(world, [&] {
        if (world.is_root())
            for (const auto& model : evolution.models) check_finite(*model);
        evolution.tasks = open_tasks(config);
        evolution.space = make_search_space(config, evolution.models);
        if (evolution.space->genes().empty())
            throw UsageError("there is nothing to search",
                             "every value of the search space is fixed",
                             "give search.genes a range: weight: {lower: 0, upper: 1}.");
        for (const int island : evolution.layout.islands_here())
            evolution.optimizers.push_back(make_optimizer(optimizer_of_island(config, island),
                                                          evolution.space->genes(), seed,
                                                          static_cast<std::uint32_t>(island)));
    });
    together(world, [&] {
        evolution.evaluator = std::make_unique<ModelEvaluator>(
            evolution.models, evolution.space, evolution.tasks, config.evaluation,
            evolution.layout.group, seed, evolution.device.make_candidate);
    });
}

void open_run_directory(Evolution& evolution, Resume resume, const ProgramContext& context) {
    const auto& world = context.world;
    together(world, [&] {
        if (!world.is_root()) return;
        evolution.directory =
            RunDirectory::open(evolution.run.root, run_config(evolution.config), resume);
        evolution.directory->clear_stop_request();
        const auto schema =
            make_schema(evolution.space->genes(), evolution.tasks, *evolution.optimizers.front());
        const auto index =
            write_attempt_index(*evolution.directory, evolution.config, evolution.layout.islands,
                                schema, evolution.space->genes(), evolution.models, evolution.tasks,
                                provenance(context, evolution));
        warn_of_other_processors(index.attempts);
        evolution.uuid = index.uuid;
        evolution.first_generations = index.first_generations;
        for (const auto& warning : evolution.directory->warnings()) print_warning(warning);
    });
    evolution.attempt =
        world.broadcast_value(evolution.directory ? evolution.directory->attempt() : 0);
    evolution.uuid = world.broadcast(evolution.uuid);
    const auto firsts = world.broadcast(nlohmann::json(evolution.first_generations).dump());
    evolution.first_generations = nlohmann::json::parse(firsts).get<std::vector<std::uint64_t>>();
}

}  // namespace galapagos
