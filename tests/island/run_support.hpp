// The islands of a host for runs without models.
#pragma once

#include "base/hash.hpp"
#include "island/island_root.hpp"
#include "island/resume.hpp"
#include "island/search_support.hpp"

namespace galapagos::testing {

/// Of searches that are scored by the formula.
inline HistorySchema formula_schema() {
    HistorySchema schema;
    for (const auto& gene : mixed_genes()) schema.genes.push_back(gene.name);
    schema.tasks = {{"formula", AnswerType::none, {}}};
    return schema;
}

/// Attempt `part` of the islands of layout.islands_here() in `run`, brought to their newest
/// checkpoints. `settings_of` and `optimizer_of` say what an island is; the schema gets the
/// optimiser's diagnostics.
template <typename SettingsOf, typename OptimizerOf>
std::vector<IslandParts> make_islands(const ProcessLayout& layout, const RunLayout& run, int part,
                                      SettingsOf settings_of, OptimizerOf optimizer_of,
                                      const HistorySchema& common = formula_schema()) {
    const std::string config_hash = sha256_hex("one config for all attempts");
    std::vector<IslandParts> islands;
    for (const int number : layout.islands_here()) {
        const auto island = static_cast<std::uint32_t>(number);
        IslandSearch search(settings_of(number), optimizer_of(number));
        CheckpointStore checkpoints(run.checkpoints(), island, config_hash);
        resume_island(run, island, checkpoints, search);
        HistorySchema schema = common;
        for (const auto& [name, value] : search.optimizer().diagnostics())
            schema.diagnostics.push_back(name);
        HistoryWriter history(run.part(island, part), {"uuid", config_hash, island, part, {}},
                              schema);
        islands.push_back({std::move(search), std::move(history), std::move(checkpoints),
                           [](const std::string&) {}});
    }
    return islands;
}

}  // namespace galapagos::testing
