#pragma once

#include <vector>

#include "tokenizer/json_component.hpp"
#include "tokenizer/pre_tokenizer.hpp"

namespace galapagos {

/// The `pre_tokenizer` of a tokenizer.json.
struct PreTokenizerDescription {
    std::vector<PreTokenizer::Step> steps;
    bool byte_level = false;  // ends with ByteLevel: the model sees bytes
};

/// Reads it; refuses unknown components and patterns by name.
PreTokenizerDescription read_pre_tokenizer(const JsonComponent& component);

/// Reads the component Metaspace, which is also a decoder.
void read_metaspace_options(const JsonComponent& component, Metaspace& metaspace, bool& split);

}  // namespace galapagos
