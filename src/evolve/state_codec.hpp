#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "evolve/optimizer.hpp"

namespace galapagos {

/// Doubles as 16 hexadecimal digits each: JSON numbers would lose infinities and depend on the
/// printer for their last bit.
std::string encode_doubles(std::span<const double> values);
/// Throws Error when `text` isn't what encode_doubles writes for `count` values.
std::vector<double> decode_doubles(const nlohmann::json& text, size_t count);

nlohmann::json to_json(const Evaluated& individual);
Evaluated evaluated_from_json(const nlohmann::json& state, size_t genes);

/// Name, type, bounds and choices of every gene, to recognise a state that belongs to others.
nlohmann::json gene_signature(std::span<const Gene> genes);

}  // namespace galapagos
