// config.json of a merged model: the donor's, with as many layers as the recipe stacks.
#pragma once

#include <memory>
#include <vector>

#include <nlohmann/json.hpp>

#include "merge/plan.hpp"

namespace galapagos {

/// Says `layers` layers, and which attention each has: a layer keeps its own where a slice moves
/// it, as far as config.json can say so for the donor's architecture.
nlohmann::json merged_config(const Recipe& recipe,
                             const std::vector<std::shared_ptr<const Source>>& sources,
                             const SourceIndex& index, std::int64_t layers);

}  // namespace galapagos
