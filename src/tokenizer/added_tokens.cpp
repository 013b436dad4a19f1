#include "tokenizer/added_tokens.hpp"

#include <algorithm>
#include <utility>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

std::size_t skip_space_forward(std::string_view text, std::size_t offset) {
    while (offset < text.size()) {
        const CodePoint point = code_point_at(text, offset);
        if (!is_white_space(point.value)) {
            break;
        }
        offset += point.size;
    }
    return offset;
}

std::size_t skip_space_backward(std::string_view text, std::size_t offset) {
    while (offset > 0) {
        const CodePoint point = code_point_before(text, offset);
        if (!is_white_space(point.value)) {
            break;
        }
        offset -= point.size;
    }
    return offset;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
    const bool word_before = begin > 0 && is_word(code_point_before(text, begin).value);
    const bool word_after = end < text.size() && is_word(code_point_at(text, end).value);
    return !word_before && !word_after;
}

}  // namespace

StringTrie::StringTrie() : nodes_(1) {}

void StringTrie::insert(std::string_view text, std::size_t value) {
    std::size_t node = 0;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        const auto [child, inserted] = nodes_[node].children.try_emplace(byte, nodes_.size());
        const std::size_t next = child->second;
        if (inserted) {
            nodes_.emplace_back();
        }
        node = next;
    }
    nodes_[node].value = value;
    starts_[static_cast<unsigned char>(text.front())] = true;
}

std::optional<StringTrie::Match> StringTrie::longest_at(std::string_view text,
                                                        std::size_t offset) const {
    std::optional<Match> longest;
    if (!starts_[static_cast<unsigned char>(text[offset])]) {
        return longest;
    }
    std::size_t node = 0;
    for (std::size_t i = offset; i < text.size(); ++i) {
        const auto child = nodes_[node].children.find(static_cast<unsigned char>(text[i]));
        if (child == nodes_[node].children.end()) {
            break;
        }
        node = child->second;
        if (nodes_[node].value) {
            longest = Match{i + 1 - offset, *nodes_[node].value};
        }
    }
    return longest;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        (tokens_[i].normalized ? normalized_ : raw_).insert(tokens_[i].content, i);
    }
}

std::vector<Segment> AddedTokens::split(std::string_view text) const {
    std::vector<Segment> first_pass;
    split_with(raw_, text, first_pass);
    if (normalized_.empty()) {
        return first_pass;
    }
    std::vector<Segment> segments;
    for (const Segment& segment : first_pass) {
        if (segment.id) {
            segments.push_back(segment);
        } else {
            split_with(normalized_, segment.text, segments);
        }
    }
    return segments;
}

// The library's own order of things is kept to the letter: a token refused by single_word still
// uses up its text, and stripped white space doesn't hide a token that begins inside it.
void AddedTokens::split_with(const StringTrie& trie, std::string_view text,
                             std::vector<Segment>& segments) const {
    std::size_t done = 0;
    std::size_t offset = 0;
    while (!trie.empty() && offset < text.size()) {
        const std::optional<StringTrie::Match> match = trie.longest_at(text, offset);
        if (!match) {
            ++offset;
            continue;
        }
        std::size_t begin = offset;
        std::size_t end = offset + match->size;
        offset = end;
        const AddedToken& token = tokens_[match->value];
        if (token.single_word && !stands_alone(text, begin, end)) {
            continue;
        }
        if (token.lstrip) {
            begin = std::max(skip_space_backward(text, begin), done);
        }
        if (token.rstrip) {
            end = skip_space_forward(text, end);
        }
        if (done < begin) {
            segments.push_back({std::nullopt, text.substr(done, begin - done)});
        }
        segments.push_back({token.id, text.substr(begin, end - begin)});
        done = end;
    }
    if (done < text.size()) {
        segments.push_back({std::nullopt, text.substr(done)});
    }
}

}  // namespace galapagos
