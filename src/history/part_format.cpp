#include "history/part_format.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "history/crc32.hpp"

namespace galapagos {
namespace {

constexpr uint8_t missing_bit = 255;

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

}  // namespace

PackedGeneration pack(const HistorySchema& schema, const GenerationRecord& generation,
                      std::span<const CandidateRecord> candidates,
                      std::span<const MigrationRecord> migrations) {
    PackedGeneration packed;
    packed.row = to_row(generation);
    add_doubles(packed.diagnostics, generation.diagnostics, schema.diagnostics.size(),
                "the diagnostics");
    packed.answers.resize(schema.tasks.size());
    for (const CandidateRecord& candidate : candidates) {
        CandidateRow row = to_row(candidate);
        row.generation = generation.generation;
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
        MigrationRow row = to_row(migration);
        row.generation = generation.generation;
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

}  // namespace galapagos
