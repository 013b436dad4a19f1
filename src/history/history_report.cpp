#include "history/history_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace galapagos {
namespace {

using Text = std::back_insert_iterator<std::string>;
using Json = nlohmann::ordered_json;

void add_generations(Text out, const IslandHistory& island, size_t last) {
    const auto& rows = island.generations;
    const size_t begin = last == 0 || rows.size() <= last ? 0 : rows.size() - last;
    fmt::format_to(out, "  {:>10} {:>11} {:>10} {:>10} {:>10} {:>10} {:>9}\n", "generation",
                   "evaluations", "best", "mean", "deviation", "diversity", "seconds");
    if (begin > 0) fmt::format_to(out, "  {:>10} ({} earlier)\n", "...", begin);
    for (size_t i = begin; i < rows.size(); ++i) {
        const GenerationRecord& row = rows[i];
        fmt::format_to(out, "  {:>10} {:>11} {:>10.4f} {:>10.4f} {:>10.4f} {:>10.4f} {:>9.1f}\n",
                       row.generation, row.evaluations, row.best, row.mean, row.deviation,
                       row.diversity, row.ended - row.started);
    }
}

/// A layer path has hundreds.
constexpr size_t most_genes = 40;

std::string gene_text(const HistorySchema& schema, const CandidateRecord& candidate) {
    std::string text;
    const size_t shown = std::min(schema.genes.size(), most_genes);
    for (size_t i = 0; i < shown; ++i)
        text +=
            fmt::format("{}{} {:.4g}", i == 0 ? "" : ", ", schema.genes[i], candidate.genome.at(i));
    if (shown < schema.genes.size())
        text += fmt::format(", and {} more (--json has all)", schema.genes.size() - shown);
    return text;
}

std::string score_text(const HistorySchema& schema, const CandidateRecord& candidate) {
    std::string text;
    for (size_t i = 0; i < schema.tasks.size(); ++i)
        text += fmt::format("{}{} {:.4f}", i == 0 ? "" : ", ", schema.tasks[i].name,
                            candidate.scores.at(i));
    return text;
}

void add_best(Text out, const IslandHistory& island, const CandidateRecord& best) {
    fmt::format_to(out, "  best candidate {}: fitness {:.4f}, generation {}\n",
                   candidate_name(best.id), best.fitness, best.generation);
    if (!best.scores.empty())
        fmt::format_to(out, "    scores: {}\n", score_text(island.schema, best));
    if (!best.genome.empty())
        fmt::format_to(out, "    genes: {}\n", gene_text(island.schema, best));
}

std::map<MigrationDirection, size_t> count_migrations(const IslandHistory& island) {
    std::map<MigrationDirection, size_t> counts;
    for (const MigrationRecord& migration : island.migrations) ++counts[migration.direction];
    return counts;
}

/// Failure reasons with how often each occurred, the most frequent first.
std::vector<std::pair<std::string, size_t>> failures(const IslandHistory& island) {
    std::map<std::string, size_t> counts;
    for (const CandidateRecord& candidate : island.candidates)
        if (candidate.status == CandidateStatus::failed) ++counts[candidate.reason];
    std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return sorted;
}

void add_island(Text out, const IslandHistory& island, const HistoryReportOptions& options) {
    fmt::format_to(out, "island {}: {} generations, {} candidates, {} {}\n", island.island,
                   island.generations.size(), island.candidates.size(), island.parts,
                   island.parts == 1 ? "part" : "parts");
    if (!island.generations.empty()) add_generations(out, island, options.last_generations);
    if (const CandidateRecord* best = best_candidate(island)) add_best(out, island, *best);
    auto migrations = count_migrations(island);
    if (!migrations.empty())
        fmt::format_to(out, "  migrants: {} sent, {} accepted, {} refused\n",
                       migrations[MigrationDirection::sent],
                       migrations[MigrationDirection::accepted],
                       migrations[MigrationDirection::refused]);
    for (const auto& [reason, count] : failures(island))
        fmt::format_to(out, "  failed {} {}: {}\n", count, count == 1 ? "time" : "times",
                       reason.empty() ? "no reason given" : reason);
    for (const std::string& warning : island.warnings)
        fmt::format_to(out, "  warning: {}\n", warning);
    if (!island.events.empty()) {
        const EventRecord& event = island.events.back();
        fmt::format_to(out, "  last event: {} {} {}\n", utc_timestamp(event.time), event.code,
                       event.text);
    }
}

// JSON has no infinities or NaN; they become null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers(const std::vector<double>& values) {
    Json list = Json::array();
    for (const double value : values) list.push_back(number(value));
    return list;
}

Json id(uint64_t candidate) {
    return candidate == no_candidate ? Json(nullptr) : Json(candidate_name(candidate));
}

Json named(const std::vector<std::string>& names, size_t value) {
    return value < names.size() ? Json(names[value]) : Json(value);
}

Json to_json(const GenerationRecord& row) {
    return {{"generation", row.generation},
            {"evaluations", row.evaluations},
            {"started", utc_timestamp(row.started)},
            {"seconds", number(row.ended - row.started)},
            {"best", number(row.best)},
            {"mean", number(row.mean)},
            {"deviation", number(row.deviation)},
            {"diversity", number(row.diversity)},
            {"best_candidate", id(row.best_candidate)},
            {"diagnostics", numbers(row.diagnostics)}};
}

Json to_json(const CandidateRecord& row) {
    Json parents = Json::array();
    for (const uint64_t parent : row.parents)
        if (parent != no_candidate) parents.push_back(candidate_name(parent));
    return {{"id", id(row.id)},
            {"generation", row.generation},
            {"parents", parents},
            {"origin", named(origin_names(), static_cast<size_t>(row.origin))},
            {"status", named(candidate_status_names(), static_cast<size_t>(row.status))},
            {"reason", row.reason},
            {"fitness", number(row.fitness)},
            {"scores", numbers(row.scores)},
            {"genome", numbers(row.genome)},
            {"merge_seconds", number(row.merge_seconds)},
            {"evaluation_seconds", number(row.evaluation_seconds)},
            {"tokens", row.tokens},
            {"evaluator", row.evaluator}};
}

Json to_json(const MigrationRecord& row) {
    return {{"generation", row.generation},
            {"direction", named(migration_direction_names(), static_cast<size_t>(row.direction))},
            {"peer", row.peer},
            {"candidate", id(row.candidate)},
            {"fitness", number(row.fitness)},
            {"time", utc_timestamp(row.time)}};
}

Json to_json(const EventRecord& row) {
    return {{"time", utc_timestamp(row.time)},
            {"generation", row.generation},
            {"code", row.code},
            {"text", row.text}};
}

template <typename Record>
Json list(const std::vector<Record>& records) {
    Json rows = Json::array();
    for (const Record& record : records) rows.push_back(to_json(record));
    return rows;
}

Json to_json(const IslandHistory& island) {
    Json tasks = Json::array();
    for (const TaskColumns& task : island.schema.tasks) tasks.push_back(task.name);
    const CandidateRecord* best = best_candidate(island);
    return {{"island", island.island},
            {"parts", island.parts},
            {"genes", island.schema.genes},
            {"tasks", tasks},
            {"diagnostics", island.schema.diagnostics},
            {"best", best == nullptr ? Json(nullptr) : to_json(*best)},
            {"generations", list(island.generations)},
            {"candidates", list(island.candidates)},
            {"migrations", list(island.migrations)},
            {"events", list(island.events)},
            {"warnings", island.warnings}};
}

bool better(const CandidateRecord& a, const CandidateRecord& b) {
    return a.fitness != b.fitness ? a.fitness > b.fitness : a.id < b.id;
}

}  // namespace

std::string history_text(const RunHistory& run, const HistoryReportOptions& options) {
    std::string text;
    const Text out(text);
    for (const IslandHistory& island : run.islands) add_island(out, island, options);
    if (const CandidateRecord* best = best_candidate(run);
        best != nullptr && run.islands.size() > 1)
        fmt::format_to(out, "best of all: {} with fitness {:.4f}\n", candidate_name(best->id),
                       best->fitness);
    return text;
}

std::string history_json(const RunHistory& run) {
    const CandidateRecord* best = best_candidate(run);
    Json islands = Json::array();
    for (const IslandHistory& island : run.islands) islands.push_back(to_json(island));
    const Json document{{"run", run.root.string()},
                        {"best", best == nullptr ? Json(nullptr) : to_json(*best)},
                        {"islands", islands}};
    // Reasons and events are free text, perhaps cut: bad UTF-8 must not spoil the document.
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const CandidateRecord* best_candidate(const IslandHistory& island) {
    const CandidateRecord* best = nullptr;
    for (const CandidateRecord& candidate : island.candidates) {
        if (candidate.status == CandidateStatus::failed || std::isnan(candidate.fitness)) continue;
        if (best == nullptr || better(candidate, *best)) best = &candidate;
    }
    return best;
}

const CandidateRecord* best_candidate(const RunHistory& run) {
    const CandidateRecord* best = nullptr;
    for (const IslandHistory& island : run.islands) {
        const CandidateRecord* own = best_candidate(island);
        if (own != nullptr && (best == nullptr || better(*own, *best))) best = own;
    }
    return best;
}

}  // namespace galapagos
