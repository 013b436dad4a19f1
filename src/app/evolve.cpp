#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>

#include "app/commands.hpp"
#include "app/config.hpp"
#include "app/models.hpp"
#include "app/progress.hpp"
#include "app/run_files.hpp"
#include "app/text_log.hpp"
#include "app/together.hpp"
#include "app/version.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "island/island_root.hpp"
#include "island/topology.hpp"

namespace galapagos {
namespace {

constexpr int status_resume_me = 75;

struct EvolveArguments {
    std::string config;
    std::string run_dir;
    Resume resume = Resume::automatic;
    std::vector<std::string> settings;
    bool schema = false;
};

/// Everything an evolution needs, opened.
struct Evolution {
    Config config;
    ProcessLayout layout;
    std::vector<std::shared_ptr<const Source>> models;
    std::vector<WeightedTask> tasks;
    std::optional<SearchSpace> space;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<ModelEvaluator> evaluator;
    RunLayout run;
    std::optional<RunDirectory> directory;  // rank 0
    int attempt = 1;
    std::string uuid;
};

Config read_config_once(const Communicator& world, const EvolveArguments& arguments) {
    std::string text;
    together(world, [&] {
        if (world.is_root()) text = read_text(arguments.config);
    });
    text = world.broadcast(std::move(text));
    Config config;
    together(world, [&] {
        const std::filesystem::path path(arguments.config);
        config = load_config_text(text, path.string(), path.parent_path(), arguments.settings);
    });
    return config;
}

OptimizerSettings optimizer_of_island(const Config& config, int island) {
    for (const auto& item : config.islands.overrides)
        if (std::find(item.islands.begin(), item.islands.end(), island) != item.islands.end())
            return item.optimizer;
    return config.optimizer;
}

/// Opens models and tasks, and checks all that can be checked before the run directory is touched.
void open_inputs(Evolution& evolution) {
    const auto& world = evolution.layout.world;
    const auto& config = evolution.config;
    together_once_a_node(world, [&] { evolution.models = open_models(config.models()); });
    together(world, [&] {
        check_compatible(evolution.models);
        for (const auto& entry : config.tasks) {
            evolution.tasks.push_back({Task::load(entry.file), entry.weight});
            if (evolution.tasks.back().task.items(Split::train).empty())
                throw UsageError(fmt::format("{}: refused", entry.file),
                                 "the task has no train items, and fitness comes from those",
                                 "name a file under items.train.");
        }
        evolution.space = make_search_space(config, evolution.models);
        if (evolution.space->genes().empty())
            throw UsageError("there is nothing to search",
                             "every value of the search space is fixed",
                             "give search.genes a range: weight: {lower: 0, upper: 1}.");
        evolution.optimizer =
            make_optimizer(optimizer_of_island(config, evolution.layout.island),
                           evolution.space->genes(), static_cast<std::uint64_t>(config.seed),
                           static_cast<std::uint32_t>(evolution.layout.island));
    });
    together(world, [&] {
        evolution.evaluator = std::make_unique<ModelEvaluator>(
            evolution.models, *evolution.space, evolution.tasks, config.evaluation,
            evolution.layout.group, static_cast<std::uint64_t>(config.seed));
    });
}

std::vector<std::pair<std::string, std::string>> provenance(const ProgramContext& context,
                                                            const Evolution& evolution) {
    auto list = basic_provenance(context.arguments);
    list.emplace_back("galapagos", program_version);
    list.emplace_back("git", git_describe);
    list.emplace_back("libtorch", libtorch_version);
    list.emplace_back("mpi", mpi_version());
    list.emplace_back("ranks", std::to_string(context.world.size()));
    list.emplace_back("seed", std::to_string(evolution.config.seed));
    return list;
}

/// Rank 0 creates or reopens the run directory; the others learn its state.
void open_run_directory(Evolution& evolution, const EvolveArguments& arguments,
                        const ProgramContext& context) {
    const auto& world = context.world;
    const auto schema =
        make_schema(evolution.space->genes(), evolution.tasks, *evolution.optimizer);
    together(world, [&] {
        if (!world.is_root()) return;
        evolution.directory =
            RunDirectory::open(evolution.run.root, run_config(evolution.config), arguments.resume);
        evolution.directory->clear_stop_request();
        evolution.uuid = write_attempt_index(
            *evolution.directory, evolution.config, evolution.layout.islands, schema,
            evolution.space->genes(), evolution.models, provenance(context, evolution));
        for (const auto& warning : evolution.directory->warnings())
            fmt::print(stderr, "galapagos: warning: {}\n", warning);
    });
    evolution.attempt =
        world.broadcast_value(evolution.directory ? evolution.directory->attempt() : 0);
    evolution.uuid = world.broadcast(evolution.uuid);
}

void print_header(const Evolution& evolution) {
    const auto& layout = evolution.layout;
    fmt::print("{}: {} models, {} genes, {} with population {}\n", evolution.config.name,
               evolution.models.size(), evolution.space->genes().size(),
               evolution.optimizer->name(), evolution.optimizer->population_size());
    fmt::print(
        "{} islands x {} evaluators x {} tensor-parallel ranks, {} threads a rank; run directory "
        "{}{}\n",
        layout.islands, layout.evaluators, layout.group.size(), evolution.config.evaluation.threads,
        evolution.run.root.string(),
        evolution.attempt > 1 ? fmt::format(" (attempt {})", evolution.attempt) : "");
    std::fflush(stdout);
}

CoordinatorCallbacks callbacks(const Evolution& evolution, ProgressPrinter& progress) {
    return {.progress = [&progress](const ProgressReport& report) { progress.print(report); },
            .best =
                [&evolution](const BestSoFar& best) {
                    write_atomically(evolution.run.best_recipe(),
                                     to_yaml(evolution.space->recipe(best.genome)));
                }};
}

RunOutcome run_island_root(Evolution& evolution, ProgressPrinter& progress) {
    const auto& config = evolution.config;
    const auto& layout = evolution.layout;
    const auto island = static_cast<std::uint32_t>(layout.island);
    const auto topology =
        make_topology(config.migration, layout.islands, static_cast<std::uint64_t>(config.seed));
    const auto schema =
        make_schema(evolution.space->genes(), evolution.tasks, *evolution.optimizer);
    TextLog log(evolution.run.log(island));

    IslandSearchSettings settings;
    settings.island = layout.island;
    settings.islands = layout.islands;
    settings.seed = static_cast<std::uint64_t>(config.seed);
    settings.tasks = evolution.tasks.size();
    settings.mode = config.islands.mode;
    settings.window = config.islands.window;
    settings.migration = config.migration;
    settings.budget = config.budget;
    settings.targets = topology.targets[island];
    settings.sources = topology.sources[island];
    const auto optimizer_name = evolution.optimizer->name();
    IslandSearch search(settings, std::move(evolution.optimizer));
    const auto config_hash = run_config(config).hash();
    CheckpointStore checkpoints(evolution.run.checkpoints(), island, config_hash);
    for (const auto& note : resume_island(evolution.run, island, checkpoints, search))
        log.line(note);

    HistoryWriter history(
        evolution.run.part(island, evolution.attempt),
        {evolution.uuid, config_hash, island, evolution.attempt, {{"optimizer", optimizer_name}}},
        schema);
    IslandRootSettings root_settings{config.budget, config.selection.finalists, settings.targets,
                                     evolution.evaluator->has_stage(Stage::validation),
                                     evolution.evaluator->has_stage(Stage::test)};
    IslandRoot root(
        layout, *evolution.evaluator, std::move(search), std::move(history), std::move(checkpoints),
        StopWatch(evolution.run.stop(), job_end_from_environment()), root_settings,
        callbacks(evolution, progress), [&log](const std::string& text) { log.line(text); });
    return root.run();
}

void print_winner(const Evolution& evolution, const nlohmann::json& winner) {
    const auto score = [](const nlohmann::json& stage) {
        return stage.is_object() && stage.contains("fitness") && stage["fitness"].is_number()
                   ? fmt::format("{:.4f}", stage["fitness"].get<double>())
                   : std::string("-");
    };
    fmt::print("\nbest candidate {} (chosen on validation)\n  train {}   validation {}   test {}\n",
               candidate_name(winner.at("id").get<std::uint64_t>()), score(winner.at("train")),
               score(winner.at("validation")), score(winner.value("test", nlohmann::json())));
    fmt::print("recipe   {}\nhistory  {}\nnext     galapagos export {} MODEL_FOLDER\n",
               evolution.run.best_recipe().string(), evolution.run.index().string(),
               evolution.run.root.string());
}

void write_result(const Evolution& evolution, nlohmann::json winner) {
    const auto genome = winner.at("genome").get<Genome>();
    write_atomically(evolution.run.best_recipe(), to_yaml(evolution.space->recipe(genome)));
    nlohmann::json tasks = nlohmann::json::array();
    for (const auto& [task, weight] : evolution.tasks)
        tasks.push_back({{"name", task.name()}, {"weight", weight}});
    winner["tasks"] = tasks;
    winner["candidate"] = candidate_name(winner.at("id").get<std::uint64_t>());
    winner["config_sha256"] = sha256_hex(resolved_yaml(evolution.config));
    write_atomically(result_file(evolution.run), winner.dump(2) + "\n");
}

int finish(const Evolution& evolution, const RunOutcome& outcome) {
    if (outcome.stopped) {
        fmt::print("stopped ({}); the same command resumes it\n", *outcome.stopped);
        return status_resume_me;
    }
    if (outcome.winner.is_null()) {
        fmt::print(
            stderr,
            "galapagos: no candidate could be evaluated (each one failed) see the reasons in {}\n",
            evolution.run.logs().string());
        return 1;
    }
    write_result(evolution, outcome.winner);
    print_winner(evolution, outcome.winner);
    return 0;
}

/// The result of an earlier attempt that ended with this very config, budget included.
std::optional<nlohmann::json> find_finished(const Evolution& evolution, Resume resume) {
    if (resume == Resume::never) return std::nullopt;
    auto result = read_result(evolution.run);
    if (!result ||
        result->value("config_sha256", "") != sha256_hex(resolved_yaml(evolution.config)))
        return std::nullopt;
    return result;
}

/// Cuts the ranks into islands and evaluators, and shares out the cores.
void lay_out(Evolution& evolution, const Communicator& world) {
    auto& config = evolution.config;
    try {
        evolution.layout =
            make_process_layout(world, config.islands.count, config.evaluation.tensor_parallel);
    } catch (const UsageError& error) {
        throw CollectiveError(error.what(), 2);  // every rank has thrown it
    }
    config.islands.count = evolution.layout.islands;
    config.evaluation.threads = use_threads(config.evaluation.threads, world);
}

int run_evolve(const EvolveArguments& arguments, const ProgramContext& context) {
    const auto& world = context.world;
    if (arguments.schema) {
        if (world.is_root()) fmt::print("{}", config_schema());
        return 0;
    }
    if (arguments.config.empty())
        together(world, [] {
            throw UsageError("no config file", "evolve needs one", "galapagos evolve CONFIG");
        });
    const SignalWatch signals;
    Evolution evolution;
    evolution.config = read_config_once(world, arguments);
    lay_out(evolution, world);
    evolution.run.root = arguments.run_dir.empty()
                             ? std::filesystem::path("runs") / evolution.config.name
                             : std::filesystem::path(arguments.run_dir);
    std::optional<nlohmann::json> finished;
    together(world, [&] {
        if (world.is_root()) finished = find_finished(evolution, arguments.resume);
    });
    if (world.broadcast_value(finished.has_value())) {
        if (!world.is_root()) return 0;
        fmt::print("{} has ended already\n", evolution.run.root.string());
        print_winner(evolution, *finished);
        return 0;
    }
    open_inputs(evolution);
    open_run_directory(evolution, arguments, context);
    ProgressPrinter progress;
    if (world.is_root()) print_header(evolution);

    RunOutcome outcome;
    if (evolution.layout.is_island_root())
        outcome = run_island_root(evolution, progress);
    else
        serve_island_root(evolution.layout, *evolution.evaluator);
    progress.finish();
    const int status = world.broadcast_value(world.is_root() ? finish(evolution, outcome) : 0);
    // A launcher may end all ranks as soon as one of them exits with 75.
    std::fflush(stdout);
    world.barrier();
    return status;
}

}  // namespace

Command add_evolve_command(CLI::App& program) {
    auto* command =
        program.add_subcommand("evolve", "Evolve a merged model (under mpirun or srun)");
    const auto arguments = std::make_shared<EvolveArguments>();
    command->add_option("config", arguments->config, "YAML config file");
    command->add_option("--run-dir", arguments->run_dir,
                        "where everything is written (default: runs/NAME)");
    command
        ->add_option(
            "--resume", arguments->resume,
            "auto: resume what is there; never: refuse it; must: refuse an empty directory")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Resume>{
            {"auto", Resume::automatic}, {"never", Resume::never}, {"must", Resume::must}}));
    command
        ->add_option("--set", arguments->settings,
                     "set a key of the config: --set budget.generations=5")
        ->allow_extra_args(false);
    command->add_flag("--schema", arguments->schema,
                      "print the JSON Schema of the config file and end");
    command->footer([] { return "Keys of the config file:\n" + config_help(); });
    return [arguments](const ProgramContext& context) { return run_evolve(*arguments, context); };
}

}  // namespace galapagos
