#include "history/sample_history.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <cmath>
#include <limits>

namespace galapagos::sample {
namespace {

// A smooth number that depends on all its arguments.
double wave(uint32_t island, uint64_t number, size_t i) {
    return 0.5 + 0.5 * std::sin(0.37 * static_cast<double>(number) + 1.3 * static_cast<double>(i) +
                                2.1 * static_cast<double>(island));
}

double rising(uint32_t island, uint64_t number) {
    return 1.0 - std::exp(-0.05 * static_cast<double>(number + 1)) / (1.0 + island);
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool same(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (!same(a[i], b[i])) return false;
    return true;
}

bool same(const CandidateRecord& a, const CandidateRecord& b) {
    if (!a.answers.empty() && a.answers.size() != b.answers.size()) return false;
    for (size_t i = 0; i < a.answers.size(); ++i)
        if (!same(a.answers[i], b.answers[i])) return false;
    for (size_t i = 0; i < b.scores.size(); ++i)
        if (!same(a.scores.at(i), b.scores[i])) return false;
    return a.id == b.id && a.generation == b.generation && a.parents == b.parents &&
           a.origin == b.origin && a.status == b.status && same(a.fitness, b.fitness) &&
           a.merge_seconds == b.merge_seconds && a.evaluation_seconds == b.evaluation_seconds &&
           a.tokens == b.tokens && a.evaluator == b.evaluator && a.reason == b.reason &&
           a.genome == b.genome;
}

bool same(const MigrationRecord& a, const MigrationRecord& b) {
    return a.generation == b.generation && a.candidate == b.candidate && a.time == b.time &&
           a.fitness == b.fitness && a.peer == b.peer && a.direction == b.direction &&
           a.genome == b.genome;
}

bool same(const GenerationRecord& a, const GenerationRecord& b) {
    return a.generation == b.generation && a.evaluations == b.evaluations &&
           a.started == b.started && a.ended == b.ended && a.best == b.best && a.mean == b.mean &&
           a.deviation == b.deviation && a.diversity == b.diversity &&
           a.best_candidate == b.best_candidate && a.diagnostics == b.diagnostics;
}

template <typename Record>
std::string compare(const char* what, const std::vector<Record>& got,
                    const std::vector<Record>& wanted) {
    if (got.size() != wanted.size())
        return fmt::format("{} {} instead of {}", got.size(), what, wanted.size());
    for (size_t i = 0; i < got.size(); ++i)
        if (!same(got[i], wanted[i])) return fmt::format("{}: row {} differs", what, i);
    return {};
}

template <typename Record>
void add(std::vector<Record>& all, std::vector<Record> more) {
    all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

HistorySchema schema() {
    HistorySchema schema;
    schema.genes = {"weight.math", "weight.japanese", "density.math", "method"};
    schema.tasks = {{"ja/arithmetic", AnswerType::bit, {}}, {"perplexity", AnswerType::real, {}}};
    for (int i = 0; i < 20; ++i) schema.tasks[0].items.push_back(fmt::format("item-{}", i));
    for (int i = 0; i < 3; ++i) schema.tasks[1].items.push_back(fmt::format("text {}", i));
    schema.diagnostics = {"sigma", "condition"};
    return schema;
}

PartIdentity identity(uint32_t island, int part) {
    return {"8d6ad7e0-0000-4000-8000-000000000001",
            std::string(64, 'a'),
            island,
            part,
            {{"optimizer", "sample"}}};
}

GenerationRecord generation(uint32_t island, uint64_t number) {
    GenerationRecord record;
    record.generation = number;
    record.evaluations = (number + 1) * population;
    record.started = 1.7e9 + 10.0 * static_cast<double>(number);
    record.ended = record.started + 9.5;
    record.best = rising(island, number);
    record.mean = record.best - 0.1;
    record.deviation = 0.05;
    record.diversity = 1.0 / static_cast<double>(number + 1);
    record.best_candidate = candidate_id(island, number * population);
    record.diagnostics = {wave(island, number, 7), 3.0};
    return record;
}

std::vector<CandidateRecord> candidates(uint32_t island, uint64_t number) {
    std::vector<CandidateRecord> records(population);
    for (size_t i = 0; i < population; ++i) {
        CandidateRecord& record = records[i];
        record.id = candidate_id(island, number * population + i);
        record.generation = number;
        if (number > 0) {
            record.parents = {record.id - population, record.id - 1};
            record.origin = Origin::crossover;
        }
        record.fitness = rising(island, number) - 0.04 * static_cast<double>(i);
        record.genome = {wave(island, number, i), wave(island, number, i + 10),
                         wave(island, number, i + 20), static_cast<double>(i % 3)};
        record.scores = {record.fitness, 10.0 * wave(island, number, i)};
        record.merge_seconds = 0.01;
        record.evaluation_seconds = 1.0 + wave(island, number, i);
        record.tokens = static_cast<int64_t>(100 + i);
        record.evaluator = static_cast<uint32_t>(i % 2);
        record.answers.resize(2);
        for (size_t item = 0; item < 20; ++item)
            record.answers[0].push_back((number + i + item) % 3 == 0 ? 1.0F : 0.0F);
        record.answers[0][19] = std::numeric_limits<float>::quiet_NaN();
        for (size_t item = 0; item < 3; ++item)
            record.answers[1].push_back(static_cast<float>(wave(island, number, item)));
        if (number % 5 == 3 && i == population - 1) {
            record.status = CandidateStatus::failed;
            record.fitness = -std::numeric_limits<double>::infinity();
            record.scores = {std::nan(""), std::nan("")};
            record.reason = "the logits are not finite";
        }
    }
    return records;
}

std::vector<MigrationRecord> migrations(uint32_t island, uint64_t number) {
    if (number % 4 != 2) return {};
    std::vector<MigrationRecord> records(2);
    for (size_t i = 0; i < 2; ++i) {
        MigrationRecord& record = records[i];
        record.generation = number;
        record.time = 1.7e9 + 10.0 * static_cast<double>(number);
        record.peer = island ^ 1U;
        record.direction = i == 0 ? MigrationDirection::sent : MigrationDirection::accepted;
        const uint32_t from = i == 0 ? island : record.peer;
        record.candidate = candidate_id(from, number * population);
        record.fitness = rising(from, number);
        record.genome = candidates(from, number)[0].genome;
    }
    return records;
}

void append(HistoryWriter& writer, uint32_t island, uint64_t number) {
    writer.append(generation(island, number), candidates(island, number),
                  migrations(island, number));
}

std::string difference(const IslandHistory& island, uint64_t generations) {
    IslandHistory wanted;
    for (uint64_t number = 0; number < generations; ++number) {
        wanted.generations.push_back(generation(island.island, number));
        add(wanted.candidates, candidates(island.island, number));
        add(wanted.migrations, migrations(island.island, number));
    }
    std::string text = compare("generations", island.generations, wanted.generations);
    if (text.empty()) text = compare("candidates", island.candidates, wanted.candidates);
    if (text.empty()) text = compare("migrations", island.migrations, wanted.migrations);
    return text;
}

RunIndex index(uint32_t islands, int attempts) {
    RunIndex index;
    index.uuid = identity(0, 1).run_uuid;
    index.created = "2026-01-31T12:00:00Z";
    index.config_yaml = "galapagos: 1\nname: sample\n";
    index.config_hash = identity(0, 1).config_hash;
    index.islands = islands;
    for (const std::string& name : schema().genes)
        index.genes.push_back({name, "real", 0.0, 1.5, 0.5, {}});
    index.genes.back() = {"method", "categorical", 0.0, 2.0, 0.0, {"linear", "ties", "slerp"}};
    index.tasks = schema().tasks;
    index.sources = {{"math", "models/math", std::string(64, '1')},
                     {"japanese", "models/base+models/ja", std::string(64, '2')}};
    index.inputs = {{"task 'gsm8k'", std::string(64, '3')},
                    {"the tokenizer", std::string(64, '4')}};
    for (int number = 1; number <= attempts; ++number)
        index.attempts.push_back({number,
                                  "2026-01-31T12:00:00Z",
                                  {{"host", "node7"}, {"mpi", "Open MPI 4.1.4"}, {"seed", "42"}}});
    return index;
}

Folder::Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "galapagos-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace galapagos::sample
