#pragma once

#include "tokenizer/decoder.hpp"
#include "tokenizer/json_component.hpp"

namespace galapagos {

/// Reads the `decoder` of a tokenizer.json; refuses unknown components by name, and known ones at a
/// place where they couldn't decode token by token.
TokenDecoder read_decoder(const JsonComponent& component);

}  // namespace galapagos
