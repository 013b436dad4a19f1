#include "tokenizer/tokenizer.hpp"

#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/normalizer.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/tokenizer_json.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

struct Tokenizer::Parts {
    explicit Parts(TokenizerDescription description);

    void encode(std::string_view text, std::vector<std::int32_t>& ids) const;
    void encode_segment(std::string_view text, bool begins_text,
                        std::vector<std::int32_t>& ids) const;

    Normalizer normalizer;
    PreTokenizer pre_tokenizer;
    SurroundingTokens surrounding;
    TokenDecoder decoder;
    Bpe model;
    AddedTokens added_tokens;
    std::unordered_map<std::string, std::int32_t> added_ids;
    std::vector<std::optional<std::string>> texts;  // by id
    std::vector<bool> special;                      // by id
    std::size_t vocabulary_size = 0;
};

Tokenizer::Parts::Parts(TokenizerDescription description)
    : normalizer(std::move(description.normalizer)),
      pre_tokenizer(std::move(description.pre_tokenizer)),
      surrounding(std::move(description.surrounding)),
      decoder(std::move(description.decoder)),
      model(std::move(description.model)),
      added_tokens(std::move(description.added_tokens)) {
    const auto store = [this](const std::string& token, std::int32_t id) {
        const auto index = static_cast<std::size_t>(id);
        if (index >= texts.size()) {
            texts.resize(index + 1);
        }
        texts[index] = token;
    };
    vocabulary_size = model.vocabulary().size();
    for (const auto& [token, id] : model.vocabulary()) {
        store(token, id);
    }
    std::unordered_set<std::string> special_contents;
    for (const AddedToken& token : added_tokens.tokens()) {
        store(token.normalized_content.empty() ? token.content : token.normalized_content,
              token.id);
        added_ids.emplace(token.content, token.id);
        vocabulary_size += model.vocabulary().contains(token.content) ? 0 : 1;
        if (token.special) {
            special_contents.insert(token.content);
        }
    }
    // The library compares texts: a special token that the normalizer changed isn't skipped.
    special.resize(texts.size());
    for (std::size_t id = 0; id < texts.size(); ++id) {
        special[id] = texts[id] && special_contents.contains(*texts[id]);
    }
}

void Tokenizer::Parts::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    for (const TextPiece& segment : added_tokens.split_raw(text)) {
        if (segment.id) {
            ids.push_back(*segment.id);
        } else {
            encode_segment(segment.text, segment.text.data() == text.data(), ids);
        }
    }
}

// `text` is free of added tokens that are looked for before normalization.
void Tokenizer::Parts::encode_segment(std::string_view text, bool begins_text,
                                      std::vector<std::int32_t>& ids) const {
    const std::string changed = normalizer.empty() ? std::string() : normalizer.apply(text);
    const std::string_view normalized = normalizer.empty() ? text : changed;
    const bool counts = begins_text && pre_tokenizer.needs_first_bytes();
    const std::size_t first_bytes = counts ? normalizer.bytes_from_first_character(text) : 0;
    for (const TextPiece& segment : added_tokens.split_normalized(normalized)) {
        if (segment.id) {
            ids.push_back(*segment.id);
            continue;
        }
        const auto offset = static_cast<std::size_t>(segment.text.data() - normalized.data());
        const Pieces pieces =
            pre_tokenizer.split(segment.text, first_bytes > offset ? first_bytes - offset : 0);
        model.encode(pieces.views, ids);
    }
}

Tokenizer::Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
    std::error_code unreadable;  // told by whoever opens the file
    const std::filesystem::path file =
        std::filesystem::is_directory(path, unreadable) ? path / "tokenizer.json" : path;
    return Tokenizer(std::make_shared<const Parts>(read_tokenizer_json(file)));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
    if (const std::size_t offset = find_invalid_utf8(text); offset < text.size()) {
        throw Error("can't tokenise a text",
                    "it isn't valid UTF-8 at byte " + std::to_string(offset),
                    "convert the file it comes from to UTF-8");
    }
    std::vector<std::int32_t> ids;
    const auto append = [&ids](const std::vector<std::int32_t>& more) {
        ids.insert(ids.end(), more.begin(), more.end());
    };
    if (add_special_tokens) {
        append(parts_->surrounding.before);
    }
    parts_->encode(text, ids);
    if (add_special_tokens) {
        append(parts_->surrounding.after);
    }
    return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
    std::string text;
    TokenDecoder state = decoder();
    for (const std::int32_t id : ids) {
        const auto token = token_of(id);
        if (token && !(skip_special_tokens && is_special(id))) {
            state.take(*token, text);
        }
    }
    state.end(text);
    return text;
}

std::optional<std::string_view> Tokenizer::token_of(std::int32_t id) const {
    const bool known = id >= 0 && static_cast<std::size_t>(id) < parts_->texts.size();
    return known ? std::optional<std::string_view>(parts_->texts[static_cast<std::size_t>(id)])
                 : std::nullopt;
}

TokenDecoder Tokenizer::decoder() const { return parts_->decoder.fresh(); }

bool Tokenizer::is_special(std::int32_t id) const {
    const bool known = id >= 0 && static_cast<std::size_t>(id) < parts_->special.size();
    return known && parts_->special[static_cast<std::size_t>(id)];
}

std::size_t Tokenizer::vocabulary_size() const { return parts_->vocabulary_size; }

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
    const std::string key(token);
    if (const auto found = parts_->added_ids.find(key); found != parts_->added_ids.end()) {
        return found->second;
    }
    const auto& vocabulary = parts_->model.vocabulary();
    const auto found = vocabulary.find(key);
    return found == vocabulary.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace galapagos
