// What a person should do about the machine, from what `galapagos doctor` saw.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace galapagos {

struct Shortcoming {
    std::string what;  ///< what is wrong, and where
    std::string todo;  ///< what to do about it
};

/// `report` is the document that `galapagos doctor --json` prints, without its findings.
std::vector<Shortcoming> find_faults(const nlohmann::ordered_json& report);

}  // namespace galapagos
