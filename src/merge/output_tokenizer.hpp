// Tokenizer, chat template and the other files that a merged model takes over.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "merge/merged_vocabulary.hpp"
#include "merge/recipe.hpp"
#include "weights/source.hpp"

namespace galapagos {

/// Writes them into `folder`: those of the donor; those that belong to the tokenizer from where
/// `vocabulary` has it, if there is one (null: all from the donor); and the chat template that the
/// recipe wants.
void write_companions(const Recipe& recipe,
                      const std::vector<std::shared_ptr<const Source>>& sources,
                      const Source& donor, const MergedVocabulary* vocabulary,
                      const std::filesystem::path& folder);

/// Brings config.json up to a merged vocabulary: its size and, if the tokenizer is that of another
/// model than the donor, the numbers of special tokens.
void set_vocabulary(const MergedVocabulary& vocabulary, const Source& donor,
                    nlohmann::json& config);

}  // namespace galapagos
