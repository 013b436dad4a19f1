#include <fmt/format.h>

#include <cstdio>
#include <limits>

#include "app/commands.hpp"
#include "app/model_card.hpp"
#include "app/models.hpp"
#include "app/run_files.hpp"
#include "app/run_inputs.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "history/history_reader.hpp"
#include "history/history_report.hpp"
#include "merge/merge_to_folder.hpp"

namespace galapagos {
namespace {

struct ExportArguments {
    std::string run, out, candidate;
    int threads = 0;
};

/// "0:17" -> the candidate's id.
std::uint64_t parse_candidate(const std::string& text) {
    unsigned island = 0;
    unsigned long long counter = 0;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%u:%llu%c", &island, &counter, &rest) != 2)
        throw UsageError(fmt::format("--candidate {}: refused", text),
                         "a candidate is ISLAND:NUMBER, for example 0:17",
                         "`galapagos history RUN` lists them.");
    return candidate_id(island, counter);
}

const CandidateRecord& find_candidate(const RunHistory& run, std::uint64_t id) {
    for (const auto& island : run.islands)
        for (const auto& candidate : island.candidates)
            if (candidate.id == id) return candidate;
    throw UsageError(fmt::format("candidate {} not found", candidate_name(id)),
                     "the history of this run doesn't hold it",
                     "`galapagos history RUN` lists them.");
}

/// What to export: the named candidate, else the winner that validation chose, else the best so far
/// on train.
ExportedCandidate choose_candidate(const ExportArguments& arguments, const RunLayout& layout) {
    ExportedCandidate chosen;
    const auto result = read_result(layout);
    if (arguments.candidate.empty() && result) {
        chosen.id = result->at("id").get<std::uint64_t>();
        chosen.genome = result->at("genome").get<Genome>();
        chosen.result = *result;
        return chosen;
    }
    const auto history = read_run(layout.root);
    const CandidateRecord* record = nullptr;
    if (arguments.candidate.empty()) {
        record = best_candidate(history);
        if (record == nullptr)
            throw Error(fmt::format("{}: nothing to export", layout.root.string()),
                        "no candidate was evaluated yet");
    } else {
        record = &find_candidate(history, parse_candidate(arguments.candidate));
    }
    chosen.id = record->id;
    chosen.genome = record->genome;
    chosen.result = {{"train", {{"fitness", record->fitness}, {"scores", record->scores}}}};
    if (result && result->at("id").get<std::uint64_t>() == chosen.id) chosen.result = *result;
    return chosen;
}

/// A genome stands for a merge of the weights that the run had, and of no others.
void require_same_models(const RunLayout& layout, const Config& config,
                         const std::vector<std::shared_ptr<const Source>>& models) {
    if (!std::filesystem::exists(layout.index())) return;
    RunIndex now;
    now.sources = index_sources(config, models);
    require_same_inputs(layout.root.string(), read_run_index(layout.index()), now);
}

int run_export(const ExportArguments& arguments, const ProgramContext& context) {
    if (!context.world.is_root()) return 0;
    use_threads(arguments.threads, Communicator());
    const RunLayout layout{arguments.run};
    if (!std::filesystem::exists(layout.config()))
        throw UsageError(fmt::format("{}: no run", arguments.run), "it holds no run.yaml",
                         "name the directory that evolve wrote.");
    const Stopwatch watch;
    const auto config = load_config(layout.config(), {});
    const auto models = open_models(config.models());
    require_same_models(layout, config, models);
    const auto space = make_search_space(config, models);
    const auto chosen = choose_candidate(arguments, layout);
    const auto recipe = recipe_of_candidate(config, *space, chosen.genome);
    merge_to_folder(recipe, arguments.out, {});
    write_atomically(std::filesystem::path(arguments.out) / "README.md",
                     model_card(config, models, chosen, recipe, context.arguments));
    fmt::print("candidate {} written to {} in {}\n", candidate_name(chosen.id), arguments.out,
               format_duration(watch.seconds()));
    return 0;
}

}  // namespace

Command add_export_command(CLI::App& program) {
    const auto arguments = std::make_shared<ExportArguments>();
    auto* command =
        program.add_subcommand("export", "Write a candidate of a run as a Hugging Face folder");
    command->add_option("run", arguments->run, "run directory")->required();
    command->add_option("out", arguments->out, "folder to make")->required();
    command->add_option("--candidate", arguments->candidate,
                        "ISLAND:NUMBER (default: the chosen one, else the best so far)");
    command->add_option("--threads", arguments->threads, "0: all cores of this process");
    return [arguments](const ProgramContext& context) { return run_export(*arguments, context); };
}

}  // namespace galapagos
