// The vocabulary of a merge whose models have different ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "merge/plan.hpp"
#include "merge/recipe.hpp"
#include "merge/tokenizer_file.hpp"
#include "weights/source.hpp"

namespace galapagos {

struct MergedVocabulary {
    TokenizerFile tokenizer;
    /// Of the model that the tokenizer comes from; it need not be one of the sources.
    std::filesystem::path tokenizer_folder;
    /// Token of each number; empty where there is none.
    std::vector<std::string> tokens;
    std::int64_t rows = 0;  ///< of the embedding: `tokens`, padded
    /// For each source, the number that it gives each of the tokens; -1 if it lacks the token.
    std::vector<std::vector<std::int64_t>> numbers;
    /// For each source, all of its tokens.
    std::vector<TokenizerFile::Ids> own;
};

/// Number of rows of a model's embedding. Throws UsageError for an unknown architecture.
std::int64_t embedding_rows(const Source& source);

/// What `recipe.tokenizer` asks for. The union is the base's tokenizer with the tokens that the
/// other models add, model by model in the recipe's order, as added tokens. A model without a
/// tokenizer.json has the base's tokens. Tokens that have no row in a model's embedding don't
/// count.
MergedVocabulary merge_vocabularies(const Recipe& recipe,
                                    const std::vector<std::shared_ptr<const Source>>& sources,
                                    const SourceIndex& index);

}  // namespace galapagos
