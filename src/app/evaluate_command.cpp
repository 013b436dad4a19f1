#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/commands.hpp"
#include "app/models.hpp"
#include "app/run_device.hpp"
#include "app/together.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "island/candidate_network.hpp"
#include "island/model_evaluator.hpp"
#include "merge/source_layout.hpp"
#include "task/evaluate.hpp"
#include "weights/finite.hpp"

namespace galapagos {
namespace {

struct EvaluateArguments {
    std::string model;
    std::vector<std::string> tasks;
    std::vector<std::string> splits{"validation", "test"};
    std::string dtype = "bf16";
    std::size_t limit = 0;
    int max_batch = 32;
    int batch_tokens = 1024;
    Reductions reductions = Reductions::exact;
    int threads = 0;
    DeviceWish device = DeviceWish::cpu;
    bool share_gpus = false;
    std::uint64_t seed = 0;
    bool json = false;
    bool answers = false;
};

/// A folder (with or without an adapter) is the recipe that takes that one model as it is.
Recipe recipe_of(const std::string& model) {
    Recipe recipe;
    if (model.ends_with(".yaml") || model.ends_with(".yml")) {
        recipe = parse_recipe(model);
        if (recipe.tokenizer)
            throw UsageError(model + ": can't be merged in memory",
                             "it sets a tokenizer, which changes the vocabulary",
                             "merge it into a folder first: galapagos merge");
        return recipe;
    }
    recipe.method = Method::linear;
    RecipeInput input;
    input.model = model;
    input.parameters["weight"] = 1.0;
    recipe.models.push_back(std::move(input));
    return recipe;
}

Split split_named(const std::string& name) {
    for (const Split split : all_splits)
        if (name_of(split) == name) return split;
    throw UsageError(fmt::format("--split {}: refused", name), "there is no such split",
                     "use train, validation or test.");
}

/// A task that is named and not scored would be missed.
void require_split(const Task& task, const std::vector<std::string>& names) {
    const auto has = [&](Split split) { return !task.items(split).empty(); };
    if (std::any_of(names.begin(), names.end(), [&](auto& name) { return has(split_named(name)); }))
        return;
    std::vector<std::string> others;
    for (const Split split : all_splits)
        if (has(split)) others.emplace_back(name_of(split));
    throw UsageError(fmt::format("task {}: nothing to evaluate", task.name()),
                     fmt::format("it has no {} items", fmt::join(names, " or ")),
                     fmt::format("--split {}", fmt::join(others, ",")));
}

struct Job {
    Recipe recipe;
    std::vector<std::shared_ptr<const Source>> sources;
    const Source* donor = nullptr;
    std::vector<std::unique_ptr<const PreparedTask>> prepared;
    int longest_row = 1;
};

Job prepare_job(const EvaluateArguments& arguments,
                std::vector<std::shared_ptr<const Source>> sources, Recipe recipe) {
    Job job{std::move(recipe), std::move(sources), nullptr, {}, 1};
    const auto index = index_sources(job.sources);
    job.donor = job.sources[static_cast<std::size_t>(index.at(donor_model(job.recipe)))].get();
    const auto tokenizer = Tokenizer::load(job.donor->folder().folder());
    auto options = prepare_options(*job.donor);
    if (arguments.limit > 0) options.max_items = arguments.limit;
    for (const auto& file : arguments.tasks) {
        const auto task = Task::load(file);
        for (const auto& name : arguments.splits) {
            const Split split = split_named(name);
            if (task.items(split).empty()) continue;
            job.prepared.push_back(prepare(task, split, tokenizer, options));
            job.longest_row = std::max(job.longest_row, job.prepared.back()->longest_row());
        }
        require_split(task, arguments.splits);
    }
    return job;
}

void print_remarks(const Job& job) {
    for (const auto& source : job.sources)
        if (const auto remark = remark_on_tokens(*source); !remark.empty()) print_warning(remark);
    for (const auto& task : job.prepared)
        if (const auto remark = remark_on_cuts(*task); !remark.empty()) print_warning(remark);
}

nlohmann::ordered_json describe(const PreparedTask& task, const TaskResult& result, double seconds,
                                bool answers) {
    nlohmann::ordered_json entry{{"task", task.name()},          {"split", name_of(task.split())},
                                 {"items", task.items().size()}, {"score", result.score},
                                 {"tokens", result.tokens},      {"seconds", seconds}};
    for (const auto& metric : result.metrics) entry["metrics"][metric.name] = metric.value;
    if (task.truncated_items() > 0) entry["truncated_items"] = task.truncated_items();
    if (!answers) return entry;
    for (std::size_t i = 0; i < task.items().size(); ++i)
        entry["answers"].push_back({{"id", task.items()[i].id},
                                    {"score", result.item_scores[i]},
                                    {"text", result.answers.empty() ? "" : result.answers[i]}});
    return entry;
}

/// Collective. Merges, and scores every task; rank 0 prints.
void score_tasks(const EvaluateArguments& arguments, const Job& job, const MergePlan& plan,
                 CandidateModel& model, const std::string& device, bool is_root) {
    model.merge(plan);
    nlohmann::ordered_json report{{"model", arguments.model},
                                  {"device", device},
                                  {"results", nlohmann::ordered_json::array()}};
    for (const auto& task : job.prepared) {
        const Stopwatch watch;
        const auto result = evaluate(*task, model.decoder());
        if (!is_root) continue;
        report["results"].push_back(describe(*task, result, watch.seconds(), arguments.answers));
        if (!arguments.json)
            fmt::print("{:<24} {:<11} {:>5} items   score {:.4f}   {:.1f} s\n", task->name(),
                       name_of(task->split()), task->items().size(), result.score, watch.seconds());
        std::fflush(stdout);
    }
    if (arguments.json && is_root) fmt::print("{}\n", report.dump(2));
}

int run_evaluate(const EvaluateArguments& arguments, const ProgramContext& context) {
    const auto& world = context.world;
    use_threads(arguments.threads, world);
    const RunDevice device = take_device(world, arguments.device, arguments.share_gpus);
    if (world.is_root() && !arguments.json) fmt::print("{}\n", describe(device));
    Job job;
    together_once_a_node(world, [&] {
        auto recipe = recipe_of(arguments.model);
        auto sources = open_sources(recipe);
        check_sources(recipe, sources);
        job = prepare_job(arguments, std::move(sources), std::move(recipe));
    });
    if (world.is_root() && !arguments.json) print_remarks(job);
    together(world, [&] {
        if (world.is_root())
            for (const auto& source : job.sources) check_finite(*source);
    });
    DecoderOptions options;
    options.dtype = arguments.dtype == "bf16" ? DType::bf16 : DType::f32;
    options.max_batch = arguments.max_batch;
    options.max_tokens = job.longest_row;
    options.batch_tokens = std::max(arguments.batch_tokens, job.longest_row);
    options.reductions = arguments.reductions;
    std::unique_ptr<CandidateModel> model;
    CandidateNetwork network;
    together(world, [&] {
        network = network_of(job.recipe, *job.donor, job.sources);
        model = device.make_candidate(job.sources, *job.donor, network.architecture, network.route,
                                      world, arguments.seed, options, network.merge_forms());
    });
    if (const auto text = model->about_sources();
        world.is_root() && !arguments.json && !text.empty())
        fmt::print("{}\n", text);
    // Ranks have GPUs of their own: one may fail alone, and the others wait for it.
    apart(world, [&] {
        score_tasks(arguments, job, network.forms.front(), *model, device.name, world.is_root());
    });
    return 0;
}

}  // namespace

Command add_evaluate_command(CLI::App& program) {
    const auto a = std::make_shared<EvaluateArguments>();
    auto* command = program.add_subcommand(
        "evaluate",
        "Score one model on tasks; under mpirun all ranks form one tensor-parallel group");
    command
        ->add_option("model", a->model,
                     "folder, folder+adapter, or a recipe (.yaml) that is merged in memory")
        ->required();
    command->add_option("tasks", a->tasks, "task files")->required();
    command->add_option("--split", a->splits, "splits to score (default: validation,test)")
        ->delimiter(',');
    command->add_option("--dtype", a->dtype, "bf16 or fp32 (default: bf16)")
        ->check(CLI::IsMember({"bf16", "fp32"}))
        ->option_text("bf16|fp32");
    command->add_option("--limit", a->limit, "only the first so many items of a split");
    command->add_option("--max-batch", a->max_batch, "rows decoded together")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--batch-tokens", a->batch_tokens, "tokens of one forward pass over prompts")
        ->check(CLI::PositiveNumber);
    command
        ->add_option("--reductions", a->reductions,
                     "how GPUs add up the shares of tensor-parallel ranks: exact (default), in "
                     "rank order, or fast, by NCCL in its own")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Reductions>{
            {"exact", Reductions::exact}, {"fast", Reductions::fast}}))
        ->option_text("exact|fast");
    command->add_option("--threads", a->threads, "a rank; 0: this rank's share of the cores")
        ->check(CLI::NonNegativeNumber);
    command
        ->add_option("--device", a->device,
                     "cpu (default), gpu, or auto: the GPU where every rank has one of its own. No "
                     "GPU has run this yet: try a machine with tests/gpu/run.sh first")
        ->transform(CLI::CheckedTransformer(std::map<std::string, DeviceWish>{
            {"cpu", DeviceWish::cpu}, {"gpu", DeviceWish::gpu}, {"auto", DeviceWish::automatic}}))
        ->option_text("cpu|gpu|auto");
    command->add_flag("--share-gpus", a->share_gpus, "let several ranks use one GPU");
    command->add_option("--seed", a->seed, "of random masks, if a recipe sets no random_seed");
    command->add_flag("--json", a->json, "print one JSON document");
    command->add_flag("--answers", a->answers, "with --json: also every item's answer");
    return [a](const ProgramContext& context) { return run_evaluate(*a, context); };
}

}  // namespace galapagos
