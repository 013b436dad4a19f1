#include "tokenizer/bpe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "base/error.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr std::int32_t none = -1;
constexpr char32_t marker = U'▁';  // stands for a space in vocabularies made by SentencePiece
constexpr std::string_view marker_bytes = "▁";

std::uint64_t merge_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
}

std::int32_t require_token(const std::unordered_map<std::string, std::int32_t>& vocabulary,
                           const std::string& token, std::string_view where) {
    const auto found = vocabulary.find(token);
    if (found == vocabulary.end()) {
        throw Error("the tokenizer's BPE model is inconsistent",
                    fmt::format("{} names the token \"{}\", which model.vocab lacks", where, token),
                    "take the tokenizer.json again from where the model came from");
    }
    return found->second;
}

}  // namespace

// A node of a doubly linked list inside one vector; merged-away nodes stay in place, dead.
struct Bpe::Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;
    bool alive;
};

// A merge that may be applied at `position`; it can be outdated when its turn comes.
struct Bpe::Candidate {
    Merge merge;
    std::int32_t position;

    bool operator<(const Candidate& other) const {
        // The queue hands out its largest element: the lowest rank, and among equals the leftmost.
        if (merge.rank != other.merge.rank) {
            return merge.rank > other.merge.rank;
        }
        return position > other.position;
    }
};

// Puts the symbols of a word in a row. As in the Hugging Face library an unknown token waits for
// the next known character, and bytes of a fallback overtake it.
class Bpe::SymbolBuilder {
  public:
    SymbolBuilder(const Bpe& model, std::size_t expected) : model_(model) {
        symbols_.reserve(expected);
    }

    void known(std::int32_t id) {
        end_unknown();
        add(id);
    }

    void fallback(std::string_view bytes) {
        for (const char byte : bytes) {
            add(*model_.byte_ids_[static_cast<unsigned char>(byte)]);
        }
    }

    void unknown() {
        if (waiting_ && !model_.settings_.fuse_unknown) {
            add(*model_.unknown_id_);
        }
        waiting_ = model_.unknown_id_.has_value();
    }

    std::vector<Symbol> finish() {
        end_unknown();
        if (!symbols_.empty()) {
            symbols_.back().next = none;
        }
        return std::move(symbols_);
    }

  private:
    void add(std::int32_t id) {
        const auto position = static_cast<std::int32_t>(symbols_.size());
        symbols_.push_back({id, position - 1, position + 1, true});
    }

    void end_unknown() {
        if (waiting_) {
            add(*model_.unknown_id_);
            waiting_ = false;
        }
    }

    const Bpe& model_;
    std::vector<Symbol> symbols_;
    bool waiting_ = false;
};

Bpe::Bpe(BpeSettings settings)
    : settings_(std::move(settings)),
      character_ids_(settings_.vocabulary.size()),
      merges_(settings_.merges.size()) {
    read_alphabet();
    read_merges();
}

void Bpe::read_alphabet() {
    const bool of_bytes = settings_.alphabet == BpeSettings::Alphabet::bytes;
    const auto& vocabulary = settings_.vocabulary;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const std::string token =
            of_bytes ? to_utf8(alphabet_character(static_cast<unsigned char>(byte)))
                     : fmt::format("<0x{:02X}>", byte);
        const auto found = vocabulary.find(token);
        if (found != vocabulary.end() && (of_bytes || settings_.byte_fallback)) {
            byte_ids_[byte] = found->second;
        }
    }
    for (const auto& [token, id] : vocabulary) {
        if (!of_bytes && !token.empty() && code_point_at(token, 0).size == token.size()) {
            character_ids_.set(code_point_at(token, 0).value, id);
        }
    }
    // As in the Hugging Face library, an unknown token that is never needed needn't exist.
    const bool complete = std::all_of(byte_ids_.begin(), byte_ids_.end(),
                                      [](const auto& id) { return id.has_value(); });
    if (of_bytes && settings_.byte_fallback && !complete) {
        throw Error("can't use the tokenizer's BPE model",
                    "model.byte_fallback with a byte-level vocabulary that lacks bytes isn't known",
                    "docs/tokenizers.md lists what is known");
    }
    if (settings_.unknown_token && !complete) {
        unknown_id_ = require_token(vocabulary, *settings_.unknown_token, "model.unk_token");
    }
}

// A word can be cut before ▁ without changing its ids where no merge joins the character before it
// to ▁: each part is then merged as if it were alone. Long texts of SentencePiece-style models fall
// apart into words that way, which can be remembered.
void Bpe::read_merges() {
    for (std::size_t rank = 0; rank < settings_.merges.size(); ++rank) {
        const auto& [left, right] = settings_.merges[rank];
        const std::string where = fmt::format("model.merges[{}]", rank);
        const std::int32_t left_id = require_token(settings_.vocabulary, left, where);
        const std::int32_t right_id = require_token(settings_.vocabulary, right, where);
        const std::int32_t merged_id = require_token(settings_.vocabulary, left + right, where);
        merges_.set(merge_key(left_id, right_id), {static_cast<std::int32_t>(rank), merged_id});
        if (!left.empty() && right.starts_with(marker_bytes)) {
            joined_to_marker_.insert(code_point_before(left, left.size()).value);
        }
    }
    settings_.merges = {};
    cuts_at_marker_ = settings_.alphabet == BpeSettings::Alphabet::characters &&
                      !settings_.ignore_merges && character_ids_.find(marker) != nullptr;
}

void Bpe::encode(std::span<const std::string_view> words, std::vector<std::int32_t>& ids) const {
    // Another thread may have the cache: then it is quicker to go without than to wait.
    const std::unique_lock lock(cache_mutex_, std::try_to_lock);
    WordCache* cache = lock.owns_lock() ? &cache_ : nullptr;
    for (const std::string_view word : words) {
        for (std::size_t begin = 0; begin < word.size();) {
            const std::size_t end = cut_end(word, begin);
            encode_remembered(word.substr(begin, end - begin), cache, ids);
            begin = end;
        }
    }
}

// Where the part of `word` that begins at `begin` ends.
std::size_t Bpe::cut_end(std::string_view word, std::size_t begin) const {
    if (!cuts_at_marker_) {
        return word.size();
    }
    std::size_t end = word.find(marker_bytes, begin + 1);
    while (end != std::string_view::npos) {
        const char32_t before = code_point_before(word, end).value;
        if (character_ids_.find(before) != nullptr && !joined_to_marker_.contains(before)) {
            return end;
        }
        end = word.find(marker_bytes, end + 1);
    }
    return word.size();
}

void Bpe::encode_remembered(std::string_view word, WordCache* cache,
                            std::vector<std::int32_t>& ids) const {
    if (cache == nullptr) {
        encode_one(word, ids);
        return;
    }
    if (const auto* remembered = cache->find(word)) {
        ids.insert(ids.end(), remembered->begin(), remembered->end());
        return;
    }
    const std::size_t begin = ids.size();
    encode_one(word, ids);
    cache->insert(word, std::span(ids).subspan(begin));
}

void Bpe::encode_one(std::string_view word, std::vector<std::int32_t>& ids) const {
    if (settings_.ignore_merges) {
        const bool of_bytes = settings_.alphabet == BpeSettings::Alphabet::bytes;
        const auto found =
            settings_.vocabulary.find(of_bytes ? to_byte_alphabet(word) : std::string(word));
        if (found != settings_.vocabulary.end()) {
            ids.push_back(found->second);
            return;
        }
    }
    std::vector<Symbol> symbols = initial_symbols(word);
    merge_all(symbols);
    for (const Symbol& symbol : symbols) {
        if (symbol.alive) {
            ids.push_back(symbol.id);
        }
    }
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
    return merges_.find(merge_key(left, right));
}

std::vector<Bpe::Symbol> Bpe::initial_symbols(std::string_view word) const {
    SymbolBuilder symbols(*this, word.size());
    if (settings_.alphabet == BpeSettings::Alphabet::bytes) {
        for (const char byte : word) {
            const auto id = byte_ids_[static_cast<unsigned char>(byte)];
            id ? symbols.known(*id) : symbols.unknown();
        }
        return symbols.finish();
    }
    for (std::size_t offset = 0; offset < word.size();) {
        const CodePoint point = code_point_at(word, offset);
        const std::string_view bytes = word.substr(offset, point.size);
        offset += point.size;
        if (const std::int32_t* id = character_ids_.find(point.value)) {
            symbols.known(*id);
        } else if (std::all_of(bytes.begin(), bytes.end(), [this](char byte) {
                       return byte_ids_[static_cast<unsigned char>(byte)].has_value();
                   })) {
            symbols.fallback(bytes);
        } else {
            symbols.unknown();
        }
    }
    return symbols.finish();
}

void Bpe::merge_all(std::vector<Symbol>& symbols) const {
    std::priority_queue<Candidate> queue;
    const auto at = [&](std::int32_t position) -> Symbol& {
        return symbols[static_cast<std::size_t>(position)];
    };
    const auto consider = [&](std::int32_t left, std::int32_t right) {
        if (left != none && right != none) {
            if (const Merge* merge = find_merge(at(left).id, at(right).id)) {
                queue.push({*merge, left});
            }
        }
    };
    for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(symbols.size()); ++i) {
        consider(i, i + 1);
    }
    while (!queue.empty()) {
        const Candidate candidate = queue.top();
        queue.pop();
        Symbol& left = at(candidate.position);
        if (!left.alive || left.next == none) {
            continue;
        }
        Symbol& right = at(left.next);
        const Merge* current = find_merge(left.id, right.id);
        if (current == nullptr || current->id != candidate.merge.id) {
            continue;
        }
        left.id = candidate.merge.id;
        left.next = right.next;
        right.alive = false;
        if (right.next != none) {
            at(right.next).previous = candidate.position;
        }
        consider(left.previous, candidate.position);
        consider(candidate.position, left.next);
    }
}

}  // namespace galapagos
