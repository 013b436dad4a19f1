// A run directory from the program's side: the index of a new attempt, and the result.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "history/history_writer.hpp"
#include "history/run_directory.hpp"
#include "history/run_index.hpp"
#include "island/island_search.hpp"

namespace galapagos {

/// Keys that may differ between the attempts of one run.
RunConfig run_config(const Config& config);

/// Writes run.h5 for this attempt, and returns it. Refuses other sources and tasks than the run
/// began with. Islands may be added to a run: they begin where
/// the slowest of the others stands.
RunIndex write_attempt_index(const RunDirectory& directory, const Config& config, int islands,
                             const HistorySchema& schema, const std::vector<Gene>& genes,
                             const std::vector<std::shared_ptr<const Source>>& models,
                             const std::vector<WeightedTask>& tasks,
                             const std::vector<std::pair<std::string, std::string>>& provenance);

/// The columns of the history.
HistorySchema make_schema(const std::vector<Gene>& genes, const std::vector<WeightedTask>& tasks,
                          const Optimizer& optimizer);

/// best/result.json: the chosen candidate and its scores; nothing when the run hasn't ended.
std::filesystem::path result_file(const RunLayout& layout);
std::optional<nlohmann::json> read_result(const RunLayout& layout);

}  // namespace galapagos
