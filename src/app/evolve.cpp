#include <fmt/format.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/evolution.hpp"
#include "app/progress.hpp"
#include "app/run_files.hpp"
#include "app/together.hpp"
#include "base/activity.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "genome/search_checks.hpp"
#include "island/island_root.hpp"
#include "island/watchdog.hpp"

namespace galapagos {
namespace {

struct EvolveArguments {
    std::string config;
    std::string run_dir;
    Resume resume = Resume::automatic;
    std::vector<std::string> settings;
    std::string stage;
    bool schema = false;
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

void print_header(const Evolution& evolution) {
    const auto& layout = evolution.layout;
    fmt::print("{}: {} models, {} genes, {} with population {}\n", evolution.config.name,
               evolution.models.size(), evolution.space->genes().size(),
               evolution.optimizers.front()->name(),
               evolution.optimizers.front()->population_size());
    fmt::print(
        "{} islands{} x {} evaluators x {} tensor-parallel ranks, {} threads a rank; run directory "
        "{}{}\n",
        layout.islands,
        layout.hosts < layout.islands ? fmt::format(" on {} hosts", layout.hosts) : "",
        layout.evaluators, layout.group.size(), evolution.config.evaluation.threads,
        evolution.run.root.string(),
        evolution.attempt > 1 ? fmt::format(" (attempt {})", evolution.attempt) : "");
    fmt::print("{}\n", describe(evolution.device));
    if (const auto text = evolution.evaluator->about_sources(); !text.empty())
        fmt::print("{}\n", text);
    std::fflush(stdout);
}

/// What the config asks for and the run hasn't.
std::vector<std::string> remarks_on(const Evolution& evolution) {
    const Config& config = evolution.config;
    const int islands = evolution.layout.islands;
    std::vector<std::string> remarks;
    if (config.search.space == SearchSettings::Space::ps)
        for (const auto& model : evolution.models)
            if (auto remark = remark_on_tokens(*model); !remark.empty())
                remarks.push_back(std::move(remark));
    for (const auto& range : unused_ranges(config.search, config.merge))
        remarks.push_back(range + " has no effect: no merge method of this search has the gene");
    std::vector<OptimizerSettings> optimizers = {config.optimizer};
    for (const auto& item : config.islands.overrides) optimizers.push_back(item.optimizer);
    for (const auto& key : unused_settings(optimizers))
        remarks.push_back("search.optimizer." + key +
                          " has no effect: no island's optimiser has it");
    for (const auto& item : config.islands.overrides)
        for (const int island : item.islands)
            if (island >= islands)
                remarks.push_back(
                    fmt::format("islands.overrides names island {}, and the last of this run is {}",
                                island, islands - 1));
    const auto elites = static_cast<std::size_t>(config.migration.elites);
    const auto population = evolution.optimizers.front()->population_size();
    const bool migrates = islands > 1 && config.migration.topology != TopologyKind::none;
    if (migrates && elites > population)
        remarks.push_back(
            fmt::format("migration.elites is {}, and a population of this run is {}: no more than "
                        "that will migrate",
                        elites, population));
    return remarks;
}

void print_warnings(const Evolution& evolution) {
    for (const auto& remark : evolution.evaluator->remarks()) print_warning(remark);
    for (const auto& remark : remarks_on(evolution)) print_warning(remark);
}

void write_best_recipe(const Evolution& evolution, const Genome& genome) {
    const auto recipe = recipe_of_candidate(evolution.config, *evolution.space, genome);
    write_atomically(evolution.run.best_recipe(), to_yaml(recipe));
}

CoordinatorCallbacks callbacks(const Evolution& evolution, ProgressPrinter& progress) {
    return {
        .progress = [&progress](const ProgressReport& report) { progress.print(report); },
        .best = [&evolution](const BestSoFar& best) { write_best_recipe(evolution, best.genome); }};
}

RunOutcome run_island_root(Evolution& evolution, ProgressPrinter& progress) {
    const auto& layout = evolution.layout;
    auto islands = make_islands(evolution);
    layout.roots.barrier();
    const FinalSettings final{evolution.config.selection.finalists,
                              evolution.evaluator->has_stage(Stage::validation),
                              evolution.evaluator->has_stage(Stage::test)};
    IslandRoot root(layout, *evolution.evaluator, std::move(islands),
                    StopWatch(evolution.run.stop(), job_end_from_environment()), final,
                    callbacks(evolution, progress));
    return root.run();
}

void print_winner(const Evolution& evolution, const nlohmann::json& winner) {
    const auto score = [](const nlohmann::json& stage) {
        return stage.is_object() && stage.contains("fitness") && stage["fitness"].is_number()
                   ? fmt::format("{:.4f}", stage["fitness"].get<double>())
                   : std::string("-");
    };
    fmt::print(
        "\nbest candidate {} (chosen on {})\n  train {}   validation {}   test {}\n",
        candidate_name(winner.at("id").get<std::uint64_t>()),
        winner.at("validation").is_null() ? "train, for want of validation items" : "validation",
        score(winner.at("train")), score(winner.at("validation")),
        score(winner.value("test", nlohmann::json())));
    fmt::print("recipe   {}\nhistory  {}\nnext     galapagos export {} MODEL_FOLDER\n",
               evolution.run.best_recipe().string(), evolution.run.index().string(),
               evolution.run.root.string());
}

void write_result(const Evolution& evolution, nlohmann::json winner) {
    write_best_recipe(evolution, winner.at("genome").get<Genome>());
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
    evolution.run.root = arguments.run_dir.empty()
                             ? std::filesystem::path("runs") / evolution.config.name
                             : std::filesystem::path(arguments.run_dir);
    evolution.stage = arguments.stage;
    lay_out(evolution, world);
    std::optional<nlohmann::json> finished;
    together(world, [&] {
        if (world.is_root()) finished = find_finished(evolution, arguments.resume);
    });
    if (world.broadcast_value(finished.has_value())) {
        if (!world.is_root()) return 0;
        fmt::print("{} has ended already; a larger budget goes on, another --run-dir begins anew\n",
                   evolution.run.root.string());
        print_winner(evolution, *finished);
        return 0;
    }
    open_inputs(evolution);
    open_run_directory(evolution, arguments.resume, context);
    ProgressPrinter progress;
    if (world.is_root()) {
        print_header(evolution);
        print_warnings(evolution);
    }

    const Watchdog watchdog(world, evolution.run.heartbeats(), evolution.config.islands.watchdog);
    RunOutcome outcome;
    apart(world, [&] {
        if (evolution.layout.is_island_root())
            outcome = run_island_root(evolution, progress);
        else
            serve_island_root(evolution.layout, *evolution.evaluator);
    });
    set_activity("ending", true);
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
            {"auto", Resume::automatic}, {"never", Resume::never}, {"must", Resume::must}}))
        ->option_text("auto|never|must");
    command
        ->add_option("--set", arguments->settings,
                     "set a key of the config: --set budget.generations=5")
        ->allow_extra_args(false);
    command
        ->add_option(
            "--stage", arguments->stage,
            "node-local folder: each node copies the models there once and reads the copies")
        ->envname("GALAPAGOS_STAGE");
    command->add_flag("--schema", arguments->schema,
                      "print the JSON Schema of the config file and end");
    command->footer([] { return "Keys of the config file:\n" + config_help(); });
    return [arguments](const ProgramContext& context) { return run_evolve(*arguments, context); };
}

}  // namespace galapagos
