#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace galapagos {

/// An entry of `added_tokens`: text that is one token wherever it occurs.
struct AddedToken {
    std::int32_t id = 0;
    std::string content;
    bool single_word = false;  // only where no word character touches it
    bool lstrip = false;       // takes the white space before it along
    bool rstrip = false;       // and after it
    bool normalized = true;    // looked for after the tokens with false
    bool special = false;      // left out of text when special tokens are skipped
};

/// A stretch of text: an added token, or text that is still to be encoded.
struct Segment {
    std::optional<std::int32_t> id;
    std::string_view text;
};

/// Finds the longest of a set of strings at a place in a text.
class StringTrie {
  public:
    StringTrie();

    void insert(std::string_view text, std::size_t value);

    struct Match {
        std::size_t size;
        std::size_t value;
    };
    std::optional<Match> longest_at(std::string_view text, std::size_t offset) const;

    bool empty() const { return nodes_.size() == 1; }

  private:
    struct Node {
        std::unordered_map<unsigned char, std::size_t> children;
        std::optional<std::size_t> value;
    };
    std::vector<Node> nodes_;
    std::array<bool, 256>
        starts_{};  // bytes that begin a string: most places of a text are ruled out by it
};

/// Cuts added tokens out of a text, as the Hugging Face library does: first those with `normalized`
/// false, then the others in what is left; of several at one place the longest.
class AddedTokens {
  public:
    explicit AddedTokens(std::vector<AddedToken> tokens);

    /// Segments of `text` in order; white space that a token strips belongs to no other segment.
    std::vector<Segment> split(std::string_view text) const;

    const std::vector<AddedToken>& tokens() const { return tokens_; }

  private:
    void split_with(const StringTrie& trie, std::string_view text,
                    std::vector<Segment>& segments) const;

    std::vector<AddedToken> tokens_;
    StringTrie raw_;
    StringTrie normalized_;
};

}  // namespace galapagos
