#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace galapagos {

/// Bounds on JSON that comes from outside.
struct JsonLimits {
    std::size_t bytes = std::size_t{128} << 20;
    int depth = 64;
};

/// Parses one JSON document; refuses duplicate keys, invalid UTF-8, trailing text and anything past
/// the limits. `origin` names the file in the UsageError.
nlohmann::json parse_json_strict(std::string_view text, std::string_view origin,
                                 JsonLimits limits = {});

/// The same for CBOR, the binary form in which states are kept and sent.
nlohmann::json parse_cbor_strict(std::string_view bytes, std::string_view origin,
                                 JsonLimits limits = {});

}  // namespace galapagos
