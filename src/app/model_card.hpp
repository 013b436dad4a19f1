// The README.md of an exported model.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/config.hpp"

namespace galapagos {

struct ExportedCandidate {
    std::uint64_t id = 0;
    Genome genome;
    nlohmann::json result;  ///< fitness and scores per stage, as far as known
};

/// Parents with licences, scores, recipe and command, with the metadata block that model hubs read.
std::string model_card(const Config& config,
                       const std::vector<std::shared_ptr<const Source>>& models,
                       const ExportedCandidate& candidate, const Recipe& recipe,
                       const std::vector<std::string>& command);

}  // namespace galapagos
