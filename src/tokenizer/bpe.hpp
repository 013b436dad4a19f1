#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace galapagos {

/// What tokenizer.json says of a byte-level BPE model.
struct BpeSettings {
    std::unordered_map<std::string, std::int32_t> vocabulary;  // tokens in the byte alphabet
    std::vector<std::pair<std::string, std::string>> merges;   // in order of rank
    std::optional<std::string> unknown_token;  // for bytes that the vocabulary lacks
    bool fuse_unknown = false;                 // one unknown token for a run of such bytes
    bool ignore_merges = false;                // a word that is a token as a whole is taken at once
};

/// Byte pair encoding of single words: starts from bytes and applies the merge of lowest rank,
/// leftmost first, until none applies. Words are remembered; safe to use from several threads.
class Bpe {
  public:
    /// Throws Error, naming the entry, if a merge or an unknown token that is needed isn't in the
    /// vocabulary. Of equal merges the last counts.
    explicit Bpe(BpeSettings settings);

    /// Appends the ids of `word`, raw bytes of one piece. A byte that the vocabulary lacks becomes
    /// the unknown token, or nothing when there is none.
    void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

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

    const Merge* find_merge(std::int32_t left, std::int32_t right) const;
    std::vector<Symbol> initial_symbols(std::string_view word) const;
    void merge_all(std::vector<Symbol>& symbols) const;
    std::vector<std::int32_t> encode_uncached(std::string_view word) const;

    BpeSettings settings_;
    std::array<std::optional<std::int32_t>, 256> byte_ids_;
    std::optional<std::int32_t> unknown_id_;
    std::unordered_map<std::uint64_t, Merge>
        merges_;  // key: left id in the upper half, right id in the lower

    mutable std::mutex cache_mutex_;
    mutable std::unordered_map<std::string, std::vector<std::int32_t>> cache_;
};

}  // namespace galapagos
