#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// An entry of `added_tokens`: text that is one token wherever it occurs.
struct AddedToken {
    std::int32_t id = 0;
    std::string content;
    bool single_word = false;             // only where no word character touches it
    bool lstrip = false;                  // takes the white space before it along
    bool rstrip = false;                  // and after it
    bool normalized = true;               // looked for after the tokens with false
    bool special = false;                 // left out of text when special tokens are skipped
    std::string normalized_content = {};  // what the normalizer makes of it; empty: the same
};

/// A stretch of text: an added token, or text that is still to be encoded.
struct TextPiece {
    std::optional<std::int32_t> id;
    std::string_view text;
};

/// Finds the longest of a set of strings at a place in a text.
class StringSet {
  public:
    /// A string that isn't empty. Of two equal ones only the first is found.
    void insert(std::string text, std::size_t value);

    /// To be called between the last insert and the first search.
    void sort();

    struct Match {
        std::size_t size;
        std::size_t value;
    };
    std::optional<Match> longest_at(std::string_view text, std::size_t offset) const;

    bool empty() const { return strings_.empty(); }

  private:
    struct String {
        std::string text;
        std::size_t value;
    };
    std::vector<String> strings_;
    std::array<bool, 256>
        starts_{};  // bytes that begin a string: most places of a text are ruled out by it
};

/// Cuts added tokens out of a text, as the Hugging Face library does: first those with `normalized`
/// false, then, in what is left and after it was normalized, the others; of several at one place
/// the longest.
class AddedTokens {
  public:
    explicit AddedTokens(std::vector<AddedToken> tokens);

    /// Segments of a text in order, cut at the tokens with `normalized` false; white space that a
    /// token strips belongs to no other segment.
    std::vector<TextPiece> split_raw(std::string_view text) const { return split_at(raw_, text); }

    /// The same for a text that was normalized, and the tokens with `normalized` true.
    std::vector<TextPiece> split_normalized(std::string_view text) const {
        return split_at(normalized_, text);
    }

    const std::vector<AddedToken>& tokens() const { return tokens_; }

  private:
    std::vector<TextPiece> split_at(const StringSet& set, std::string_view text) const;

    std::vector<AddedToken> tokens_;
    StringSet raw_;
    StringSet normalized_;
};

}  // namespace galapagos
