// A generation as it is written into a history part: rows, and the numbers beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "history/part_rows.hpp"
#include "history/records.hpp"

namespace galapagos {

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

/// Bytes an answer matrix needs for one candidate.
size_t answer_row_bytes(const TaskColumns& task);
void unpack_answers(const TaskColumns& task, std::span<const std::byte> row,
                    std::vector<float>& answers);

}  // namespace galapagos
