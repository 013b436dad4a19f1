// What `galapagos history` prints: a run's history as text or JSON.
#pragma once

#include <string>

#include "history/history_reader.hpp"

namespace galapagos {

struct HistoryReportOptions {
    size_t last_generations = 10;  // rows a table; 0: all
};

/// Per island: table of generations, best candidate, migrations, failures.
std::string history_text(const RunHistory& run, const HistoryReportOptions& options = {});

/// Everything but the answer matrices, as one JSON document.
std::string history_json(const RunHistory& run);

/// The best candidate of a run by fitness, or nullptr if none was evaluated. Ties: the lowest id.
const CandidateRecord* best_candidate(const IslandHistory& island);
const CandidateRecord* best_candidate(const RunHistory& run);

}  // namespace galapagos
