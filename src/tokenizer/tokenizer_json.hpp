#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/decoder.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/pre_tokenizer.hpp"

namespace galapagos {

/// Ids that the post-processor puts around an encoded text.
struct SurroundingTokens {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> after;
};

/// What a tokenizer.json says, component by component.
struct TokenizerDescription {
    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    SurroundingTokens surrounding;
    TokenDecoder decoder;
    BpeSettings model;
    std::vector<AddedToken> added_tokens;
};

/// Reads `file`. Throws Error, naming the component or the entry, for whatever isn't known exactly:
/// another model than BPE, an unknown normalizer, splitter, post-processor or decoder, or an option
/// of one that would change ids or text.
TokenizerDescription read_tokenizer_json(const std::filesystem::path& file);

}  // namespace galapagos
