#include "merge/merged_vocabulary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {

namespace fs = std::filesystem;
using Sources = std::vector<std::shared_ptr<const Source>>;

namespace {

/// The tokenizers of all sources; nothing where a source has none.
using Tokenizers = std::vector<std::optional<TokenizerFile>>;

fs::path folder_of(const Source& source) { return source.folder().folder(); }

Tokenizers read_tokenizers(const Sources& sources) {
    Tokenizers tokenizers;
    for (const auto& source : sources) {
        tokenizers.emplace_back();
        if (has_tokenizer_file(folder_of(*source))) tokenizers.back().emplace(folder_of(*source));
    }
    return tokenizers;
}

/// A model's tokens that lie below `rows`, in the order of their numbers.
std::vector<std::string> tokens_below(const TokenizerFile& tokenizer, std::int64_t rows) {
    std::vector<std::string> tokens(static_cast<std::size_t>(std::min(rows, tokenizer.end())));
    for (const auto& [token, id] : tokenizer.ids())
        if (id < rows) tokens[static_cast<std::size_t>(id)] = token;
    std::erase(tokens, "");
    return tokens;
}

/// The added tokens of a tokenizer that have an embedding.
std::vector<nlohmann::json> added_below(const TokenizerFile& tokenizer, std::int64_t rows) {
    std::vector<nlohmann::json> entries;
    for (const auto& entry : tokenizer.added_tokens())
        if (entry["id"] < rows) entries.push_back(entry);
    return entries;
}

/// First all plain tokens, then what models list as added tokens, with their properties.
void add_union(const Tokenizers& tokenizers, const Sources& sources,
               const std::vector<std::size_t>& order, TokenizerFile& result) {
    std::vector<nlohmann::json> entries;
    std::set<std::string> added;
    for (const std::size_t i : order)
        for (auto& entry : added_below(*tokenizers[i], embedding_rows(*sources[i]))) {
            added.insert(entry["content"].get<std::string>());
            entries.push_back(std::move(entry));
        }
    for (const std::size_t i : order)
        for (const std::string& token : tokens_below(*tokenizers[i], embedding_rows(*sources[i])))
            if (!added.contains(token) && !result.find(token)) result.add(token);
    for (auto& entry : entries) result.add(std::move(entry));
}

/// The base, then the others that have a tokenizer.
std::vector<std::size_t> union_order(const Tokenizers& tokenizers, std::size_t base) {
    std::vector<std::size_t> order{base};
    for (std::size_t i = 0; i < tokenizers.size(); ++i)
        if (i != base && tokenizers[i]) order.push_back(i);
    return order;
}

TokenizerFile base_tokenizer(const Tokenizers& tokenizers, const Sources& sources,
                             std::size_t base) {
    if (!tokenizers[base])
        throw UsageError("recipe refused",
                         fmt::format("the base '{}' has no tokenizer.json", sources[base]->name()),
                         "leave out 'tokenizer' and 'tokenizer_source'");
    TokenizerFile tokenizer = *tokenizers[base];
    tokenizer.remove_from(embedding_rows(*sources[base]));
    return tokenizer;
}

void number_tokens(const Tokenizers& tokenizers, const Sources& sources, std::size_t base,
                   MergedVocabulary& vocabulary) {
    vocabulary.tokens.resize(static_cast<std::size_t>(vocabulary.tokenizer.end()));
    for (const auto& [token, id] : vocabulary.tokenizer.ids())
        vocabulary.tokens[static_cast<std::size_t>(id)] = token;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const TokenizerFile& own = tokenizers[i] ? *tokenizers[i] : *tokenizers[base];
        const std::int64_t rows = embedding_rows(*sources[i]);
        std::vector<std::int64_t> numbers(vocabulary.tokens.size(), -1);
        for (const auto& [token, id] : vocabulary.tokenizer.ids()) {
            const auto number = own.find(token);
            if (number && *number < rows) numbers[static_cast<std::size_t>(id)] = *number;
        }
        vocabulary.numbers.push_back(std::move(numbers));
        vocabulary.own.push_back(own.ids());
    }
}

}  // namespace

std::int64_t embedding_rows(const Source& source) {
    const ArchitectureLayout* layout = find_layout(source.config());
    if (layout == nullptr)
        throw UsageError(
            "recipe refused",
            fmt::format("'{}' is of an architecture whose embeddings are not known", source.name()),
            "leave out 'tokenizer' and 'tokenizer_source'; known model types: " +
                known_model_types());
    return source.tensor(layout->embedding).shape.at(0);
}

MergedVocabulary merge_vocabularies(const Recipe& recipe, const Sources& sources,
                                    const SourceIndex& index) {
    const TokenizerSetting& setting = *recipe.tokenizer;
    const auto base = static_cast<std::size_t>(index.at(donor_model(recipe)));
    const Tokenizers tokenizers = read_tokenizers(sources);
    const TokenizerFile stripped = base_tokenizer(tokenizers, sources, base);
    const bool named = setting.source != "union" && setting.source != "base";
    const fs::path folder =
        named ? parse_source_reference(setting.source).model : folder_of(*sources[base]);
    MergedVocabulary vocabulary{named ? TokenizerFile(folder) : stripped, folder, {}, 0, {}, {}};
    if (setting.source == "union")
        add_union(tokenizers, sources, union_order(tokenizers, base), vocabulary.tokenizer);
    for (const TokenSetting& token : setting.tokens)
        if (!vocabulary.tokenizer.find(token.token)) vocabulary.tokenizer.add(token.token);
    number_tokens(tokenizers, sources, base, vocabulary);
    const std::int64_t multiple = setting.pad_to_multiple_of;
    vocabulary.rows = (vocabulary.tokenizer.end() + multiple - 1) / multiple * multiple;
    return vocabulary;
}

}  // namespace galapagos
