// What a recipe says about the merged model's tokens: `tokenizer`, or mergekit's short form
// `tokenizer_source`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/yaml.hpp"

namespace galapagos {

/// Where the embedding of one token comes from, in the models that lack the token.
struct TokenSetting {
    enum class From { model, other_token, zero };

    std::string token;
    From from = From::zero;
    std::string model;        ///< unless zero
    std::string other_token;  ///< a token of `model`; or its number:
    std::optional<std::int64_t> other_id;
    bool force = false;  ///< in all models

    bool operator==(const TokenSetting&) const = default;
};

struct TokenizerSetting {
    std::string source = "union";  ///< "union", "base" or a model
    std::vector<TokenSetting> tokens;
    std::int64_t pad_to_multiple_of = 1;  ///< of the number of embedding rows

    bool operator==(const TokenizerSetting&) const = default;
};

/// From the recipe's document; nothing if it says nothing.
std::optional<TokenizerSetting> read_tokenizer_setting(const YamlReader& recipe);

}  // namespace galapagos
