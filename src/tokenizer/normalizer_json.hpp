#pragma once

#include "tokenizer/json_component.hpp"
#include "tokenizer/normalizer.hpp"

namespace galapagos {

/// Reads the `normalizer` of a tokenizer.json; refuses unknown ones by name.
Normalizer read_normalizer(const JsonComponent& component);

/// Reads the literal text under `pattern`, which isn't empty; refuses regular expressions.
std::string read_literal_pattern(const JsonComponent& component);

}  // namespace galapagos
