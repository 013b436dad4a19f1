#include "tokenizer/tokenizer.hpp"

#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/error.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/tokenizer_json.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

// The bytes of a token. Added tokens needn't be written in the byte alphabet; the library then
// takes their own UTF-8.
std::string token_bytes(const std::string& token) {
    return from_byte_alphabet(token).value_or(token);
}

}  // namespace

struct Tokenizer::Parts {
    explicit Parts(TokenizerDescription description);

    AddedTokens added_tokens;
    PreTokenizer pre_tokenizer;
    SurroundingTokens surrounding;
    Bpe model;
    std::unordered_map<std::string, std::int32_t> added_ids;
    std::vector<std::string> bytes;  // by id
    std::vector<bool> special;       // by id
    std::size_t vocabulary_size = 0;
};

Tokenizer::Parts::Parts(TokenizerDescription description)
    : added_tokens(std::move(description.added_tokens)),
      pre_tokenizer(std::move(description.pre_tokenizer)),
      surrounding(std::move(description.surrounding)),
      model(std::move(description.model)) {
    const auto store = [this](const std::string& token, std::int32_t id) {
        const auto index = static_cast<std::size_t>(id);
        if (index >= bytes.size()) {
            bytes.resize(index + 1);
        }
        bytes[index] = token_bytes(token);
    };
    vocabulary_size = model.vocabulary().size();
    for (const auto& [token, id] : model.vocabulary()) {
        store(token, id);
    }
    for (const AddedToken& token : added_tokens.tokens()) {
        store(token.content, token.id);
        added_ids.emplace(token.content, token.id);
        vocabulary_size += model.vocabulary().contains(token.content) ? 0 : 1;
    }
    special.resize(bytes.size());
    for (const AddedToken& token : added_tokens.tokens()) {
        special[static_cast<std::size_t>(token.id)] = token.special;
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
    for (const Segment& segment : parts_->added_tokens.split(text)) {
        if (segment.id) {
            ids.push_back(*segment.id);
            continue;
        }
        const Pieces pieces = parts_->pre_tokenizer.split(segment.text);
        for (const std::string_view piece : pieces.views) {
            parts_->model.encode(piece, ids);
        }
    }
    if (add_special_tokens) {
        append(parts_->surrounding.after);
    }
    return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
    std::string bytes;
    for (const std::int32_t id : ids) {
        if (!skip_special_tokens || !is_special(id)) {
            bytes += bytes_of(id);
        }
    }
    return replace_invalid_utf8(bytes);
}

std::string_view Tokenizer::bytes_of(std::int32_t id) const {
    const bool known = id >= 0 && static_cast<std::size_t>(id) < parts_->bytes.size();
    return known ? std::string_view(parts_->bytes[static_cast<std::size_t>(id)]) : "";
}

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
