// The rows of a history part as they lie in the file (docs/history-format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

/// One generation in file layout. Every vector holds whole rows.
struct PackedGeneration {
    GenerationRow row{};
    std::vector<std::byte> diagnostics;
    std::vector<std::byte> candidates, genomes, scores;
    std::vector<std::vector<std::byte>> answers;  // [tasks]
    std::vector<std::byte> migrations, migration_genomes;
};

/// All but row.candidates_end, migration_end, sequence and the checksums. Throws Error when a
/// record doesn't have the shape of the schema.
PackedGeneration pack(const HistorySchema& schema, const GenerationRecord& generation,
                      std::span<const CandidateRecord> candidates,
                      std::span<const MigrationRecord> migrations);
uint32_t checksum_of(const PackedGeneration& packed);
uint32_t answers_checksum_of(const PackedGeneration& packed);

GenerationRecord unpack_generation(const GenerationRow& row, std::span<const double> diagnostics);
CandidateRecord unpack_candidate(const CandidateRow& row);
MigrationRecord unpack_migration(const MigrationRow& row);

EventRow pack_event(const EventRecord& event, uint32_t sequence);
/// Nothing when the row at this place was never written whole.
std::optional<EventRecord> unpack_event(const EventRow& row, uint32_t sequence);

/// Bytes an answer matrix needs for one candidate.
size_t answer_row_bytes(const TaskColumns& task);
void unpack_answers(const TaskColumns& task, std::span<const std::byte> row,
                    std::vector<float>& answers);

/// CRC-32 as zlib computes it, so that Python checks it with zlib.crc32.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t previous = 0);

}  // namespace galapagos
