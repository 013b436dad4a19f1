#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/json_component.hpp"

namespace galapagos {

/// Reads `model` of a tokenizer.json; refuses all but BPE without dropout.
BpeSettings read_bpe_settings(const JsonComponent& model);

/// Reads `added_tokens`; refuses ids that aren't those the Hugging Face library would give them.
std::vector<AddedToken> read_added_tokens(
    const JsonComponent& list, const std::unordered_map<std::string, std::int32_t>& vocabulary);

}  // namespace galapagos
