#include "island/candidate.hpp"

#include <limits>

#include "base/error.hpp"

namespace galapagos {

using nlohmann::json;

const char* name_of(Stage stage) {
    switch (stage) {
        case Stage::train:
            return "train";
        case Stage::validation:
            return "validation";
        case Stage::test:
            return "test";
    }
    return "?";
}

CandidateResult failed_result(const Candidate& candidate, std::string reason, std::size_t tasks) {
    CandidateResult result;
    result.id = candidate.id;
    result.stage = candidate.stage;
    result.status = CandidateStatus::failed;
    result.reason = std::move(reason);
    result.fitness = -std::numeric_limits<double>::infinity();
    result.scores.assign(tasks, std::numeric_limits<double>::quiet_NaN());
    return result;
}

json to_json(const Candidate& c) {
    return {{"id", c.id},
            {"genome", c.genome},
            {"origin", static_cast<int>(c.origin)},
            {"parents", c.parents},
            {"stage", static_cast<int>(c.stage)}};
}

json to_json(const CandidateResult& r) {
    return {{"id", r.id},
            {"stage", static_cast<int>(r.stage)},
            {"status", static_cast<int>(r.status)},
            {"reason", r.reason},
            {"fitness", r.fitness},
            {"scores", r.scores},
            {"answers", r.answers},
            {"merge_seconds", r.merge_seconds},
            {"evaluation_seconds", r.evaluation_seconds},
            {"tokens", r.tokens},
            {"evaluator", r.evaluator}};
}

Candidate candidate_from_json(const json& j) {
    Candidate c;
    c.id = j.at("id").get<std::uint64_t>();
    c.genome = j.at("genome").get<Genome>();
    c.origin = static_cast<Origin>(j.at("origin").get<int>());
    c.parents = j.at("parents").get<std::vector<std::uint64_t>>();
    c.stage = static_cast<Stage>(j.at("stage").get<int>());
    return c;
}

CandidateResult result_from_json(const json& j) {
    CandidateResult r;
    r.id = j.at("id").get<std::uint64_t>();
    r.stage = static_cast<Stage>(j.at("stage").get<int>());
    r.status = static_cast<CandidateStatus>(j.at("status").get<int>());
    r.reason = j.at("reason").get<std::string>();
    r.fitness = j.at("fitness").get<double>();
    r.scores = j.at("scores").get<std::vector<double>>();
    r.answers = j.at("answers").get<std::vector<std::vector<float>>>();
    r.merge_seconds = j.at("merge_seconds").get<double>();
    r.evaluation_seconds = j.at("evaluation_seconds").get<double>();
    r.tokens = j.at("tokens").get<std::int64_t>();
    r.evaluator = j.at("evaluator").get<std::uint32_t>();
    return r;
}

namespace {

std::string to_bytes(const json& j) {
    std::string bytes;
    json::to_cbor(j, bytes);
    return bytes;
}

}  // namespace

std::string pack(const Candidate& candidate) { return to_bytes(to_json(candidate)); }
std::string pack(const CandidateResult& result) { return to_bytes(to_json(result)); }
Candidate unpack_candidate(const std::string& bytes) {
    return candidate_from_json(json::from_cbor(bytes));
}
CandidateResult unpack_result(const std::string& bytes) {
    return result_from_json(json::from_cbor(bytes));
}

}  // namespace galapagos
