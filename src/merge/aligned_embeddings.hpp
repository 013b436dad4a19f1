// Embeddings and output heads of models with different vocabularies, brought into one order.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "merge/merged_vocabulary.hpp"

namespace galapagos {

/// The sources with embedding and output head in the order of `vocabulary`, written into the new
/// folder `work`, which must live as long as they are read. A model that lacks a token gets, for
/// its row: what `recipe.tokenizer` says; else the row of the only model that has the token; else
/// the base's row; else the mean of those that have it; else zeros. Rows without a token are the
/// mean of the model's rows. Only the models that go into a tensor count. Throws UsageError for a
/// setting that names a model or token that isn't there.
std::vector<std::shared_ptr<const Source>> align_embeddings(
    const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
    const SourceIndex& index, const MergedVocabulary& vocabulary,
    const std::filesystem::path& work);

}  // namespace galapagos
