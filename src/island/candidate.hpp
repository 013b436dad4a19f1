// What travels between an island's root and its evaluators.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evolve/optimizer.hpp"
#include "history/records.hpp"

namespace galapagos {

/// Which items a candidate is judged on.
enum class Stage : std::uint8_t { train, validation, test };
const char* name_of(Stage stage);

/// A genome to evaluate.
struct Candidate {
    std::uint64_t id = 0;
    Genome genome;
    Origin origin = Origin::initial;
    std::vector<std::uint64_t> parents;
    Stage stage = Stage::train;
};

/// What an evaluation gave.
struct CandidateResult {
    std::uint64_t id = 0;
    Stage stage = Stage::train;
    CandidateStatus status = CandidateStatus::evaluated;
    std::string reason;          ///< why it failed
    double fitness = 0;          ///< weighted mean of the scores; -infinity when failed
    std::vector<double> scores;  ///< [tasks]
    std::vector<std::vector<float>> answers;  ///< [tasks][items]
    double merge_seconds = 0;
    double evaluation_seconds = 0;
    std::int64_t tokens = 0;
    std::uint32_t evaluator = 0;
};

/// A result with the worst fitness.
CandidateResult failed_result(const Candidate& candidate, std::string reason, std::size_t tasks);

/// Bytes for messages and checkpoints (CBOR: doubles keep their bits, infinities included).
std::string pack(const Candidate& candidate);
std::string pack(const CandidateResult& result);
Candidate unpack_candidate(const std::string& bytes);
CandidateResult unpack_result(const std::string& bytes);

nlohmann::json to_json(const Candidate& candidate);
nlohmann::json to_json(const CandidateResult& result);
Candidate candidate_from_json(const nlohmann::json& json);
CandidateResult result_from_json(const nlohmann::json& json);

}  // namespace galapagos
