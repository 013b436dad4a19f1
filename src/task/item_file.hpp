#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace galapagos {

/// A JSON object of a JSONL file and where it stands.
struct JsonLine {
    std::string place;  // file:line
    nlohmann::json fields;
};

/// Reads a file with one JSON object a line; empty lines are skipped. Throws UsageError with file
/// and line for anything else.
std::vector<JsonLine> read_json_lines(const std::filesystem::path& path);

}  // namespace galapagos
