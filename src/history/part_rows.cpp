#include "history/part_rows.hpp"

#include "history/columns.hpp"
#include "history/crc32.hpp"

namespace galapagos {
namespace {

// A column is called in the file what its cell is called in the row, and its field in the record.
#define CELL(Table, name) \
    Column<decltype(Table##Row::name)> { #name, offsetof(Table##Row, name) }
#define FIELD(Table, name)                                                                  \
    FieldColumn<decltype(Table##Row::name), Table##Record, decltype(Table##Record::name)> { \
        CELL(Table, name), &Table##Record::name                                             \
    }

constexpr std::tuple generation_columns{
    FIELD(Generation, generation),     FIELD(Generation, evaluations),
    FIELD(Generation, started),        FIELD(Generation, ended),
    FIELD(Generation, best),           FIELD(Generation, mean),
    FIELD(Generation, deviation),      FIELD(Generation, diversity),
    FIELD(Generation, best_candidate), CELL(Generation, candidates_end),
    CELL(Generation, migration_end),   CELL(Generation, answers_checksum),
    CELL(Generation, sequence),        CELL(Generation, checksum),
};

constexpr std::tuple candidate_columns{
    FIELD(Candidate, id),
    FIELD(Candidate, generation),
    FIELD(Candidate, parents),
    FIELD(Candidate, fitness),
    FIELD(Candidate, merge_seconds),
    FIELD(Candidate, evaluation_seconds),
    FIELD(Candidate, tokens),
    FIELD(Candidate, evaluator),
    FIELD(Candidate, origin),
    FIELD(Candidate, status),
    FIELD(Candidate, reason),
};

constexpr std::tuple migration_columns{
    FIELD(Migration, generation), FIELD(Migration, candidate), FIELD(Migration, time),
    FIELD(Migration, fitness),    FIELD(Migration, peer),      FIELD(Migration, direction),
};

constexpr std::tuple event_columns{
    FIELD(Event, time), FIELD(Event, generation), FIELD(Event, code),
    FIELD(Event, text), CELL(Event, sequence),    CELL(Event, checksum),
};

#undef FIELD
#undef CELL

}  // namespace

H5Handle generation_row_type() { return row_type<GenerationRow>(generation_columns); }
H5Handle candidate_row_type() { return row_type<CandidateRow>(candidate_columns); }
H5Handle migration_row_type() { return row_type<MigrationRow>(migration_columns); }
H5Handle event_row_type() { return row_type<EventRow>(event_columns); }

GenerationRow to_row(const GenerationRecord& record) {
    return row_of<GenerationRow>(generation_columns, record);
}
CandidateRow to_row(const CandidateRecord& record) {
    return row_of<CandidateRow>(candidate_columns, record);
}
MigrationRow to_row(const MigrationRecord& record) {
    return row_of<MigrationRow>(migration_columns, record);
}

GenerationRecord to_record(const GenerationRow& row) {
    return record_of<GenerationRecord>(generation_columns, row);
}
CandidateRecord to_record(const CandidateRow& row) {
    return record_of<CandidateRecord>(candidate_columns, row);
}
MigrationRecord to_record(const MigrationRow& row) {
    return record_of<MigrationRecord>(migration_columns, row);
}

EventRow pack_event(const EventRecord& event, uint32_t sequence) {
    EventRow row = row_of<EventRow>(event_columns, event);
    row.sequence = sequence;
    row.checksum = crc32(bytes_before_checksum(row));
    return row;
}

std::optional<EventRecord> unpack_event(const EventRow& row, uint32_t sequence) {
    if (row.sequence != sequence || row.checksum != crc32(bytes_before_checksum(row)))
        return std::nullopt;
    return record_of<EventRecord>(event_columns, row);
}

std::span<const std::byte> bytes_before_checksum(const GenerationRow& row) {
    return std::as_bytes(std::span(&row, 1)).first(offsetof(GenerationRow, checksum));
}
std::span<const std::byte> bytes_before_checksum(const EventRow& row) {
    return std::as_bytes(std::span(&row, 1)).first(offsetof(EventRow, checksum));
}

}  // namespace galapagos
