// What one island writes down: generations, candidates, migrants and events, as plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "evolve/optimizer.hpp"

namespace galapagos {

/// A candidate's id is unique in a run: the island that made it and a counter of that island.
constexpr int candidate_counter_bits = 40;
constexpr uint64_t no_candidate = ~uint64_t{0};

constexpr uint64_t candidate_id(uint32_t island, uint64_t counter) {
    return (uint64_t{island} << candidate_counter_bits) | counter;
}
constexpr uint32_t island_of(uint64_t id) {
    return static_cast<uint32_t>(id >> candidate_counter_bits);
}
constexpr uint64_t counter_of(uint64_t id) {
    return id & ((uint64_t{1} << candidate_counter_bits) - 1);
}
/// "3:17" for candidate 17 of island 3, "-" for no candidate.
std::string candidate_name(uint64_t id);

/// The names of evolve's Origin values, in their order: the table stored in files.
const std::vector<std::string>& origin_names();

enum class CandidateStatus : uint8_t {
    evaluated = 0,
    reused = 1,  // genome seen before: scores copied, nothing computed
    failed = 2,  // worst fitness; `reason` says why
};
const std::vector<std::string>& candidate_status_names();

enum class MigrationDirection : uint8_t { sent = 0, accepted = 1, refused = 2 };
const std::vector<std::string>& migration_direction_names();

struct CandidateRecord {
    uint64_t id = no_candidate;
    uint64_t generation = 0;  // set by the writer to the generation it belongs to
    std::array<uint64_t, 2> parents{no_candidate, no_candidate};
    Origin origin = Origin::initial;
    CandidateStatus status = CandidateStatus::evaluated;
    double fitness = 0.0;
    double merge_seconds = 0.0;
    double evaluation_seconds = 0.0;
    int64_t tokens = 0;                       // generated plus scored
    uint32_t evaluator = 0;                   // within the island
    std::string reason;                       // cut to 255 bytes at a character boundary
    std::vector<double> genome;               // [genes]
    std::vector<double> scores;               // [tasks]; NaN where there is none
    std::vector<std::vector<float>> answers;  // [tasks][items]; empty, or an empty row: not kept
};

struct MigrationRecord {
    uint64_t generation = 0;  // set by the writer to the generation it belongs to
    uint64_t candidate = no_candidate;
    double time = 0.0;  // UTC seconds since 1970
    double fitness = 0.0;
    uint32_t peer = 0;  // the other island
    MigrationDirection direction = MigrationDirection::sent;
    std::vector<double> genome;  // [genes]
};

struct GenerationRecord {
    uint64_t generation = 0;   // 0, 1, 2, ...
    uint64_t evaluations = 0;  // told to the optimiser so far, this generation included
    double started = 0.0;      // UTC seconds since 1970
    double ended = 0.0;
    double best = 0.0;       // best fitness of the island so far
    double mean = 0.0;       // over the finite fitnesses told in this generation
    double deviation = 0.0;  // standard deviation of the same
    double diversity = 0.0;  // as the optimiser defines it, e.g. mean distance to the centroid
    uint64_t best_candidate = no_candidate;
    std::vector<double> diagnostics;  // [HistorySchema::diagnostics]
};

/// Things that happened beside the search, in the order they were written; kept even when no
/// generation follows.
struct EventRecord {
    double time = 0.0;        // UTC seconds since 1970
    uint64_t generation = 0;  // generations committed at that time
    std::string code;         // short word: "start", "resume", "stop", "checkpoint", "warning", ...
    std::string text;         // cut to 255 bytes
};

enum class AnswerType : uint8_t {
    none = 0,  // no answer matrix for this task
    bit = 1,   // 0 wrong, 1 right, stored as one byte; missing is 255, NaN in memory
    real = 2,  // one float an item; missing is NaN
};

struct TaskColumns {
    std::string name;
    AnswerType answers = AnswerType::none;
    std::vector<std::string> items;  // item ids in the order of the answer matrix
    bool operator==(const TaskColumns&) const = default;
};

/// The columns of an island's history, equal in all its parts.
struct HistorySchema {
    std::vector<std::string> genes;
    std::vector<TaskColumns> tasks;
    std::vector<std::string> diagnostics;
    bool operator==(const HistorySchema&) const = default;
};

}  // namespace galapagos
