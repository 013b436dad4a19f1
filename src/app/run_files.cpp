#include "app/run_files.hpp"

#include <algorithm>
#include <limits>

#include "app/run_inputs.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "history/checkpoint.hpp"

namespace galapagos {

RunConfig run_config(const Config& config) {
    return {resolved_yaml(config),
            {"name", "budget", "selection", "evaluation.threads", "evaluation.share_gpus",
             "islands.count", "islands.watchdog"}};
}

HistorySchema make_schema(const std::vector<Gene>& genes, const std::vector<WeightedTask>& tasks,
                          const Optimizer& optimizer) {
    HistorySchema schema;
    for (const auto& gene : genes) schema.genes.push_back(gene.name);
    for (const auto& [task, weight] : tasks) {
        const bool right_or_wrong = std::holds_alternative<GenerateSettings>(task.settings()) ||
                                    std::holds_alternative<MultipleChoiceSettings>(task.settings());
        TaskColumns columns{task.name(), right_or_wrong ? AnswerType::bit : AnswerType::real, {}};
        for (const auto& item : task.items(Split::train)) columns.items.push_back(item.id);
        schema.tasks.push_back(std::move(columns));
    }
    for (const auto& [name, value] : optimizer.diagnostics()) schema.diagnostics.push_back(name);
    return schema;
}

namespace {

/// Lets islands join that a run did not have: they begin with the generation that the slowest of
/// the others has still to finish.
void add_islands(RunIndex& index, std::uint32_t islands, const RunLayout& layout) {
    index.first_generations.resize(index.islands);
    if (islands == index.islands) return;
    std::uint64_t slowest = std::numeric_limits<std::uint64_t>::max();
    for (std::uint32_t island = 0; island < index.islands; ++island) {
        std::vector<std::string> ignored;
        const auto checkpoint =
            CheckpointStore(layout.checkpoints(), island, index.config_hash).load_newest(ignored);
        slowest = std::min(slowest,
                           checkpoint ? checkpoint->generation : index.first_generations[island]);
    }
    index.first_generations.resize(islands, slowest);
    index.islands = islands;
}

}  // namespace

RunIndex write_attempt_index(const RunDirectory& directory, const Config& config, int islands,
                             const HistorySchema& schema, const std::vector<Gene>& genes,
                             const std::vector<std::shared_ptr<const Source>>& models,
                             const std::vector<WeightedTask>& tasks,
                             const std::vector<std::pair<std::string, std::string>>& provenance) {
    const auto count = static_cast<std::uint32_t>(islands);
    RunIndex index;
    if (directory.resumed() && std::filesystem::exists(directory.layout().index())) {
        index = read_run_index(directory.layout().index());
    } else {
        index.uuid = make_uuid();
        index.islands = count;
        index.created = utc_timestamp();
    }
    index.config_yaml = resolved_yaml(config);
    index.config_hash = run_config(config).hash();
    add_islands(index, count, directory.layout());
    index.genes.clear();
    for (const auto& gene : genes)
        index.genes.push_back(
            {gene.name, name_of(gene.type), gene.lower, gene.upper, gene.initial, gene.choices});
    index.tasks = schema.tasks;
    const RunIndex before = index;
    index.sources = index_sources(config, models);
    index.inputs = index_inputs(tasks, *models.front());
    require_same_inputs(directory.layout().root.string(), before, index);
    // An attempt that was killed before any island had a part left nothing but its entry here; its
    // number is this one's.
    std::erase_if(index.attempts,
                  [&](const IndexAttempt& a) { return a.number >= directory.attempt(); });
    index.attempts.push_back({directory.attempt(), utc_timestamp(), provenance});
    write_run_index(directory.layout().index(), index);
    return index;
}

std::filesystem::path result_file(const RunLayout& layout) { return layout.best() / "result.json"; }

std::optional<nlohmann::json> read_result(const RunLayout& layout) {
    const auto path = result_file(layout);
    if (!std::filesystem::exists(path)) return std::nullopt;
    return parse_json_strict(read_text(path), path.string());
}

}  // namespace galapagos
