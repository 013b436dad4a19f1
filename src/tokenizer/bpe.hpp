#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tokenizer/id_map.hpp"
#include "tokenizer/word_cache.hpp"

namespace galapagos {

/// What tokenizer.json says of a BPE model.
struct BpeSettings {
    /// What merging starts from: bytes, which the vocabulary writes in the byte alphabet, or the
    /// characters of the text itself.
    enum class Alphabet : std::uint8_t { bytes, characters };

    Alphabet alphabet = Alphabet::bytes;
    std::unordered_map<std::string, std::int32_t> vocabulary;
    std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
    std::optional<std::string> unknown_token;  // for bytes or characters that the vocabulary lacks
    bool fuse_unknown = false;                 // one unknown token for a run of such
    bool byte_fallback = false;  // such a character becomes its bytes, written <0x0A>, if all exist
    bool ignore_merges = false;  // a word that is a token as a whole is taken at once
};

/// Byte pair encoding: starts from bytes or characters and applies the merge of lowest rank,
/// leftmost first, until none applies. Words are remembered; safe to use from several threads.
class Bpe {
  public:
    /// Throws Error, naming the entry, if a merge or an unknown token that is needed isn't in the
    /// vocabulary. Of equal merges the last counts.
    explicit Bpe(BpeSettings settings);

    /// Appends the ids of each of `words`, valid UTF-8 pieces of text. What the vocabulary lacks
    /// becomes the unknown token, or nothing when there is none.
    void encode(std::span<const std::string_view> words, std::vector<std::int32_t>& ids) const;

    const std::unordered_map<std::string, std::int32_t>& vocabulary() const {
        return settings_.vocabulary;
    }

  private:
    struct Merge {
        std::int32_t rank;
        std::int32_t id;
    };
    struct Symbol;
    struct Candidate;
    class SymbolBuilder;

    void read_alphabet();
    void read_merges();
    const Merge* find_merge(std::int32_t left, std::int32_t right) const;
    std::size_t cut_end(std::string_view word, std::size_t begin) const;
    void encode_remembered(std::string_view word, WordCache* cache,
                           std::vector<std::int32_t>& ids) const;
    void encode_one(std::string_view word, std::vector<std::int32_t>& ids) const;
    std::vector<Symbol> initial_symbols(std::string_view word) const;
    void merge_all(std::vector<Symbol>& symbols) const;

    BpeSettings settings_;
    std::array<std::optional<std::int32_t>, 256> byte_ids_;  // of bytes, or of their fallback
    IdMap<std::int32_t> character_ids_;                      // by code point
    std::optional<std::int32_t> unknown_id_;
    IdMap<Merge> merges_;  // key: left id in the upper half, right id in the lower
    bool cuts_at_marker_ = false;
    std::unordered_set<char32_t> joined_to_marker_;  // characters that a merge may join to ▁

    mutable std::mutex cache_mutex_;
    mutable WordCache cache_;
};

}  // namespace galapagos
