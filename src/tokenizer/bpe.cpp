#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <queue>

#include "base/error.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

// Long words are rare and would crowd out the frequent ones.
constexpr std::size_t longest_cached_word = 256;
constexpr std::size_t cache_capacity = 1 << 16;
constexpr std::int32_t none = -1;

std::uint64_t merge_key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
}

std::int32_t require_token(const std::unordered_map<std::string, std::int32_t>& vocabulary,
                           const std::string& token, const std::string& where) {
    const auto found = vocabulary.find(token);
    if (found == vocabulary.end()) {
        throw Error("the tokenizer's BPE model is inconsistent",
                    where + " names the token \"" + token + "\", which model.vocab lacks",
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

Bpe::Bpe(BpeSettings settings) : settings_(std::move(settings)) {
    const auto& vocabulary = settings_.vocabulary;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const auto found =
            vocabulary.find(to_utf8(alphabet_character(static_cast<unsigned char>(byte))));
        if (found != vocabulary.end()) {
            byte_ids_[byte] = found->second;
        }
    }
    // As in the Hugging Face library, an unknown token that is never needed needn't exist.
    const bool complete = std::all_of(byte_ids_.begin(), byte_ids_.end(),
                                      [](const auto& id) { return id.has_value(); });
    if (settings_.unknown_token && !complete) {
        unknown_id_ = require_token(vocabulary, *settings_.unknown_token, "model.unk_token");
    }
    merges_.reserve(settings_.merges.size());
    for (std::size_t rank = 0; rank < settings_.merges.size(); ++rank) {
        const auto& [left, right] = settings_.merges[rank];
        const std::string where = "model.merges[" + std::to_string(rank) + "]";
        const std::int32_t left_id = require_token(vocabulary, left, where);
        const std::int32_t right_id = require_token(vocabulary, right, where);
        const std::int32_t merged_id = require_token(vocabulary, left + right, where);
        merges_[merge_key(left_id, right_id)] = {static_cast<std::int32_t>(rank), merged_id};
    }
    settings_.merges = {};
}

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
    if (word.size() > longest_cached_word) {
        const std::vector<std::int32_t> encoded = encode_uncached(word);
        ids.insert(ids.end(), encoded.begin(), encoded.end());
        return;
    }
    const std::string key(word);
    {
        const std::lock_guard lock(cache_mutex_);
        if (const auto found = cache_.find(key); found != cache_.end()) {
            ids.insert(ids.end(), found->second.begin(), found->second.end());
            return;
        }
    }
    std::vector<std::int32_t> encoded = encode_uncached(word);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    const std::lock_guard lock(cache_mutex_);
    if (cache_.size() < cache_capacity) {
        cache_.emplace(key, std::move(encoded));
    }
}

std::vector<std::int32_t> Bpe::encode_uncached(std::string_view word) const {
    if (settings_.ignore_merges) {
        const auto found = settings_.vocabulary.find(to_byte_alphabet(word));
        if (found != settings_.vocabulary.end()) {
            return {found->second};
        }
    }
    std::vector<Symbol> symbols = initial_symbols(word);
    merge_all(symbols);
    std::vector<std::int32_t> ids;
    for (const Symbol& symbol : symbols) {
        if (symbol.alive) {
            ids.push_back(symbol.id);
        }
    }
    return ids;
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
    const auto found = merges_.find(merge_key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
}

std::vector<Bpe::Symbol> Bpe::initial_symbols(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    bool in_unknown_run = false;
    for (const char character : word) {
        const std::optional<std::int32_t> known = byte_ids_[static_cast<unsigned char>(character)];
        const std::optional<std::int32_t> id = known ? known : unknown_id_;
        const bool fused = !known && in_unknown_run && settings_.fuse_unknown;
        in_unknown_run = !known && unknown_id_;
        if (id && !fused) {
            const auto position = static_cast<std::int32_t>(symbols.size());
            symbols.push_back({*id, position - 1, position + 1, true});
        }
    }
    if (!symbols.empty()) {
        symbols.back().next = none;
    }
    return symbols;
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
