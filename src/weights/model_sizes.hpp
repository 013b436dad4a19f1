// The sizes in a config.json.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "weights/architecture_layout.hpp"

namespace galapagos {

struct ModelSizes {
    std::int64_t vocabulary = 0;
    std::int64_t hidden = 0;
    std::int64_t intermediate = 0;
    std::int64_t layers = 0;  ///< 0 where config.json does not tell
    std::int64_t query_heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_dim = 0;
};

/// Reads them, with the architecture's names and defaults. Throws Error naming the key if one is
/// missing or no positive integer.
ModelSizes read_model_sizes(const ArchitectureLayout& layout, const nlohmann::json& config,
                            const std::string& origin = "config.json");

}  // namespace galapagos
