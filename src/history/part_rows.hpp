// The rows of a history part as they lie in the file (docs/history-format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "history/hdf5.hpp"
#include "history/records.hpp"

namespace galapagos {

#pragma pack(push, 1)
struct GenerationRow {
    uint64_t generation;
    uint64_t evaluations;
    double started;
    double ended;
    double best;
    double mean;
    double deviation;
    double diversity;
    uint64_t best_candidate;
    uint64_t candidates_end;  // rows of /candidates that belong to this and earlier generations
    uint64_t migration_end;   // rows of /migration, likewise
    uint32_t answers_checksum;
    uint32_t sequence;  // row number + 1: zero in a row that was made but never written
    uint32_t checksum;  // last: covers the bytes before it, too
};

struct CandidateRow {
    uint64_t id;
    uint64_t generation;
    uint64_t parents[2];
    double fitness;
    double merge_seconds;
    double evaluation_seconds;
    int64_t tokens;
    uint32_t evaluator;
    uint8_t origin;
    uint8_t status;
    char reason[256];
};

struct MigrationRow {
    uint64_t generation;
    uint64_t candidate;
    double time;
    double fitness;
    uint32_t peer;
    uint8_t direction;
};

struct EventRow {
    double time;
    uint64_t generation;
    char code[32];
    char text[256];
    uint32_t sequence;
    uint32_t checksum;
};
#pragma pack(pop)

static_assert(sizeof(GenerationRow) == 100);
static_assert(sizeof(CandidateRow) == 326);
static_assert(sizeof(MigrationRow) == 37);
static_assert(sizeof(EventRow) == 312);

H5Handle generation_row_type();
H5Handle candidate_row_type();
H5Handle migration_row_type();
H5Handle event_row_type();

/// What a record has of the columns; the others are zero.
GenerationRow to_row(const GenerationRecord& record);
CandidateRow to_row(const CandidateRecord& record);
MigrationRow to_row(const MigrationRecord& record);

/// What a row has of the record: no genomes, scores, answers, diagnostics.
GenerationRecord to_record(const GenerationRow& row);
CandidateRecord to_record(const CandidateRow& row);
MigrationRecord to_record(const MigrationRow& row);

EventRow pack_event(const EventRecord& event, uint32_t sequence);
/// Nothing when the row at this place was never written whole.
std::optional<EventRecord> unpack_event(const EventRow& row, uint32_t sequence);

/// Bytes of a row that its checksum covers.
std::span<const std::byte> bytes_before_checksum(const GenerationRow& row);
std::span<const std::byte> bytes_before_checksum(const EventRow& row);

}  // namespace galapagos
