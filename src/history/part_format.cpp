#include "history/part_format.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"

namespace galapagos {
namespace {

constexpr uint8_t missing_bit = 255;

H5Handle compound(size_t bytes) {
    return {H5Tcreate(H5T_COMPOUND, bytes), H5Tclose, "can't make an HDF5 compound type"};
}

void add(const H5Handle& type, const char* name, size_t offset, hid_t member) {
    h5_check(H5Tinsert(type.get(), name, offset, member), "can't build an HDF5 compound type");
}

template <size_t N>
void set_text(char (&cell)[N], const std::string& text) {
    size_t length = std::min(text.size(), N - 1);
    // Never cut inside a UTF-8 sequence: continuation bytes are 10xxxxxx.
    if (length < text.size())
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    std::memcpy(cell, text.data(), length);
    std::memset(cell + length, 0, N - length);
}

template <size_t N>
std::string get_text(const char (&cell)[N]) {
    return {cell, strnlen(cell, N)};
}

template <typename T>
void add_bytes(std::vector<std::byte>& out, const T* values, size_t count) {
    const auto* begin = reinterpret_cast<const std::byte*>(values);
    out.insert(out.end(), begin, begin + count * sizeof(T));
}

void add_doubles(std::vector<std::byte>& out, const std::vector<double>& values, size_t expected,
                 const char* what) {
    if (values.size() != expected)
        throw Error("can't write the history",
                    fmt::format("{} has {} values, the history {}", what, values.size(), expected));
    add_bytes(out, values.data(), values.size());
}

void add_answers(std::vector<std::byte>& out, const TaskColumns& task,
                 const std::vector<float>& answers) {
    if (!answers.empty() && answers.size() != task.items.size())
        throw Error("can't write the history",
                    fmt::format("{} answers for the {} items of task {}", answers.size(),
                                task.items.size(), task.name));
    for (size_t i = 0; i < task.items.size(); ++i) {
        const float answer = answers.empty() ? std::numeric_limits<float>::quiet_NaN() : answers[i];
        if (task.answers == AnswerType::real) {
            add_bytes(out, &answer, 1);
        } else {
            const uint8_t bit = std::isnan(answer) ? missing_bit : static_cast<uint8_t>(answer > 0);
            add_bytes(out, &bit, 1);
        }
    }
}

CandidateRow pack_candidate(const CandidateRecord& candidate, uint64_t generation) {
    CandidateRow row{};
    row.id = candidate.id;
    row.generation = generation;
    row.parents[0] = candidate.parents[0];
    row.parents[1] = candidate.parents[1];
    row.fitness = candidate.fitness;
    row.merge_seconds = candidate.merge_seconds;
    row.evaluation_seconds = candidate.evaluation_seconds;
    row.tokens = candidate.tokens;
    row.evaluator = candidate.evaluator;
    row.origin = static_cast<uint8_t>(candidate.origin);
    row.status = static_cast<uint8_t>(candidate.status);
    set_text(row.reason, candidate.reason);
    return row;
}

MigrationRow pack_migration(const MigrationRecord& migration, uint64_t generation) {
    MigrationRow row{};
    row.generation = generation;
    row.candidate = migration.candidate;
    row.time = migration.time;
    row.fitness = migration.fitness;
    row.peer = migration.peer;
    row.direction = static_cast<uint8_t>(migration.direction);
    return row;
}

std::span<const std::byte> bytes_before_checksum(const GenerationRow& row) {
    return std::as_bytes(std::span(&row, 1)).first(offsetof(GenerationRow, checksum));
}

}  // namespace

H5Handle generation_row_type() {
    H5Handle type = compound(sizeof(GenerationRow));
    add(type, "generation", offsetof(GenerationRow, generation), H5T_STD_U64LE);
    add(type, "evaluations", offsetof(GenerationRow, evaluations), H5T_STD_U64LE);
    add(type, "started", offsetof(GenerationRow, started), H5T_IEEE_F64LE);
    add(type, "ended", offsetof(GenerationRow, ended), H5T_IEEE_F64LE);
    add(type, "best", offsetof(GenerationRow, best), H5T_IEEE_F64LE);
    add(type, "mean", offsetof(GenerationRow, mean), H5T_IEEE_F64LE);
    add(type, "deviation", offsetof(GenerationRow, deviation), H5T_IEEE_F64LE);
    add(type, "diversity", offsetof(GenerationRow, diversity), H5T_IEEE_F64LE);
    add(type, "best_candidate", offsetof(GenerationRow, best_candidate), H5T_STD_U64LE);
    add(type, "candidates_end", offsetof(GenerationRow, candidates_end), H5T_STD_U64LE);
    add(type, "migration_end", offsetof(GenerationRow, migration_end), H5T_STD_U64LE);
    add(type, "answers_checksum", offsetof(GenerationRow, answers_checksum), H5T_STD_U32LE);
    add(type, "sequence", offsetof(GenerationRow, sequence), H5T_STD_U32LE);
    add(type, "checksum", offsetof(GenerationRow, checksum), H5T_STD_U32LE);
    return type;
}

H5Handle candidate_row_type() {
    H5Handle type = compound(sizeof(CandidateRow));
    const hsize_t two = 2;
    const H5Handle pair(H5Tarray_create2(H5T_STD_U64LE, 1, &two), H5Tclose,
                        "can't make an HDF5 array type");
    const H5Handle reason = h5_string_type(sizeof(CandidateRow::reason));
    add(type, "id", offsetof(CandidateRow, id), H5T_STD_U64LE);
    add(type, "generation", offsetof(CandidateRow, generation), H5T_STD_U64LE);
    add(type, "parents", offsetof(CandidateRow, parents), pair.get());
    add(type, "fitness", offsetof(CandidateRow, fitness), H5T_IEEE_F64LE);
    add(type, "merge_seconds", offsetof(CandidateRow, merge_seconds), H5T_IEEE_F64LE);
    add(type, "evaluation_seconds", offsetof(CandidateRow, evaluation_seconds), H5T_IEEE_F64LE);
    add(type, "tokens", offsetof(CandidateRow, tokens), H5T_STD_I64LE);
    add(type, "evaluator", offsetof(CandidateRow, evaluator), H5T_STD_U32LE);
    add(type, "origin", offsetof(CandidateRow, origin), H5T_STD_U8LE);
    add(type, "status", offsetof(CandidateRow, status), H5T_STD_U8LE);
    add(type, "reason", offsetof(CandidateRow, reason), reason.get());
    return type;
}

H5Handle migration_row_type() {
    H5Handle type = compound(sizeof(MigrationRow));
    add(type, "generation", offsetof(MigrationRow, generation), H5T_STD_U64LE);
    add(type, "candidate", offsetof(MigrationRow, candidate), H5T_STD_U64LE);
    add(type, "time", offsetof(MigrationRow, time), H5T_IEEE_F64LE);
    add(type, "fitness", offsetof(MigrationRow, fitness), H5T_IEEE_F64LE);
    add(type, "peer", offsetof(MigrationRow, peer), H5T_STD_U32LE);
    add(type, "direction", offsetof(MigrationRow, direction), H5T_STD_U8LE);
    return type;
}

H5Handle event_row_type() {
    H5Handle type = compound(sizeof(EventRow));
    const H5Handle code = h5_string_type(sizeof(EventRow::code));
    const H5Handle text = h5_string_type(sizeof(EventRow::text));
    add(type, "time", offsetof(EventRow, time), H5T_IEEE_F64LE);
    add(type, "generation", offsetof(EventRow, generation), H5T_STD_U64LE);
    add(type, "code", offsetof(EventRow, code), code.get());
    add(type, "text", offsetof(EventRow, text), text.get());
    add(type, "sequence", offsetof(EventRow, sequence), H5T_STD_U32LE);
    add(type, "checksum", offsetof(EventRow, checksum), H5T_STD_U32LE);
    return type;
}

PackedGeneration pack(const HistorySchema& schema, const GenerationRecord& generation,
                      std::span<const CandidateRecord> candidates,
                      std::span<const MigrationRecord> migrations) {
    PackedGeneration packed;
    packed.row.generation = generation.generation;
    packed.row.evaluations = generation.evaluations;
    packed.row.started = generation.started;
    packed.row.ended = generation.ended;
    packed.row.best = generation.best;
    packed.row.mean = generation.mean;
    packed.row.deviation = generation.deviation;
    packed.row.diversity = generation.diversity;
    packed.row.best_candidate = generation.best_candidate;
    add_doubles(packed.diagnostics, generation.diagnostics, schema.diagnostics.size(),
                "the diagnostics");
    packed.answers.resize(schema.tasks.size());
    for (const CandidateRecord& candidate : candidates) {
        const CandidateRow row = pack_candidate(candidate, generation.generation);
        add_bytes(packed.candidates, &row, 1);
        add_doubles(packed.genomes, candidate.genome, schema.genes.size(), "a genome");
        add_doubles(packed.scores, candidate.scores, schema.tasks.size(), "a list of scores");
        for (size_t task = 0; task < schema.tasks.size(); ++task) {
            static const std::vector<float> none;
            if (schema.tasks[task].answers == AnswerType::none) continue;
            const bool there = task < candidate.answers.size();
            add_answers(packed.answers[task], schema.tasks[task],
                        there ? candidate.answers[task] : none);
        }
    }
    for (const MigrationRecord& migration : migrations) {
        const MigrationRow row = pack_migration(migration, generation.generation);
        add_bytes(packed.migrations, &row, 1);
        add_doubles(packed.migration_genomes, migration.genome, schema.genes.size(),
                    "a migrant's genome");
    }
    return packed;
}

uint32_t checksum_of(const PackedGeneration& packed) {
    uint32_t sum = crc32(bytes_before_checksum(packed.row));
    for (const auto* bytes : {&packed.diagnostics, &packed.candidates, &packed.genomes,
                              &packed.scores, &packed.migrations, &packed.migration_genomes})
        sum = crc32(*bytes, sum);
    return sum;
}

uint32_t answers_checksum_of(const PackedGeneration& packed) {
    uint32_t sum = 0;
    for (const auto& bytes : packed.answers) sum = crc32(bytes, sum);
    return sum;
}

GenerationRecord unpack_generation(const GenerationRow& row, std::span<const double> diagnostics) {
    GenerationRecord record;
    record.generation = row.generation;
    record.evaluations = row.evaluations;
    record.started = row.started;
    record.ended = row.ended;
    record.best = row.best;
    record.mean = row.mean;
    record.deviation = row.deviation;
    record.diversity = row.diversity;
    record.best_candidate = row.best_candidate;
    record.diagnostics.assign(diagnostics.begin(), diagnostics.end());
    return record;
}

CandidateRecord unpack_candidate(const CandidateRow& row) {
    CandidateRecord record;
    record.id = row.id;
    record.generation = row.generation;
    record.parents = {row.parents[0], row.parents[1]};
    record.fitness = row.fitness;
    record.merge_seconds = row.merge_seconds;
    record.evaluation_seconds = row.evaluation_seconds;
    record.tokens = row.tokens;
    record.evaluator = row.evaluator;
    record.origin = static_cast<Origin>(row.origin);
    record.status = static_cast<CandidateStatus>(row.status);
    record.reason = get_text(row.reason);
    return record;
}

MigrationRecord unpack_migration(const MigrationRow& row) {
    MigrationRecord record;
    record.generation = row.generation;
    record.candidate = row.candidate;
    record.time = row.time;
    record.fitness = row.fitness;
    record.peer = row.peer;
    record.direction = static_cast<MigrationDirection>(row.direction);
    return record;
}

EventRow pack_event(const EventRecord& event, uint32_t sequence) {
    EventRow row{};
    row.time = event.time;
    row.generation = event.generation;
    set_text(row.code, event.code);
    set_text(row.text, event.text);
    row.sequence = sequence;
    row.checksum = crc32(std::as_bytes(std::span(&row, 1)).first(offsetof(EventRow, checksum)));
    return row;
}

std::optional<EventRecord> unpack_event(const EventRow& row, uint32_t sequence) {
    const auto body = std::as_bytes(std::span(&row, 1)).first(offsetof(EventRow, checksum));
    if (row.sequence != sequence || row.checksum != crc32(body)) return std::nullopt;
    return EventRecord{row.time, row.generation, get_text(row.code), get_text(row.text)};
}

size_t answer_row_bytes(const TaskColumns& task) {
    if (task.answers == AnswerType::none) return 0;
    return task.items.size() * (task.answers == AnswerType::real ? sizeof(float) : 1);
}

void unpack_answers(const TaskColumns& task, std::span<const std::byte> row,
                    std::vector<float>& answers) {
    answers.resize(task.items.size());
    if (task.answers == AnswerType::real) {
        std::memcpy(answers.data(), row.data(), row.size());
        return;
    }
    for (size_t i = 0; i < answers.size(); ++i) {
        const auto bit = std::to_integer<uint8_t>(row[i]);
        answers[i] = bit == missing_bit ? std::numeric_limits<float>::quiet_NaN() : bit;
    }
}

uint32_t crc32(std::span<const std::byte> bytes, uint32_t previous) {
    static const auto table = [] {
        std::array<uint32_t, 256> values{};
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
            values[i] = value;
        }
        return values;
    }();
    uint32_t sum = ~previous;
    for (const std::byte byte : bytes)
        sum = (sum >> 8) ^ table[(sum ^ std::to_integer<uint32_t>(byte)) & 0xFF];
    return ~sum;
}

}  // namespace galapagos
