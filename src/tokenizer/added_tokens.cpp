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

// Goes back to `floor` at most.
std::size_t skip_space_backward(std::string_view text, std::size_t offset, std::size_t floor) {
    while (offset > floor) {
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

void StringSet::insert(std::string text, std::size_t value) {
    starts_[static_cast<unsigned char>(text.front())] = true;
    strings_.push_back({std::move(text), value});
}

void StringSet::sort() {
    std::stable_sort(strings_.begin(), strings_.end(),
                     [](const String& a, const String& b) { return a.text < b.text; });
}

// The strings that begin with the first bytes of the place are neighbours in the sorted list; each
// further byte narrows them down.
std::optional<StringSet::Match> StringSet::longest_at(std::string_view text,
                                                      std::size_t offset) const {
    if (!starts_[static_cast<unsigned char>(text[offset])]) {
        return std::nullopt;
    }
    std::optional<Match> longest;
    auto begin = strings_.begin();
    auto end = strings_.end();
    for (std::size_t size = 0; offset + size < text.size(); ++size) {
        // Strings that end here come first.
        const auto byte_of = [size](const String& string) {
            return size < string.text.size() ? static_cast<unsigned char>(string.text[size]) : -1;
        };
        const int wanted = static_cast<unsigned char>(text[offset + size]);
        begin =
            std::partition_point(begin, end, [&](const String& s) { return byte_of(s) < wanted; });
        end =
            std::partition_point(begin, end, [&](const String& s) { return byte_of(s) == wanted; });
        if (begin == end) {
            break;
        }
        if (begin->text.size() == size + 1) {
            longest = Match{size + 1, begin->value};
        }
    }
    return longest;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        const AddedToken& token = tokens_[i];
        const bool changed = token.normalized && !token.normalized_content.empty();
        (token.normalized ? normalized_ : raw_)
            .insert(changed ? token.normalized_content : token.content, i);
    }
    raw_.sort();
    normalized_.sort();
}

// The library's own order of things is kept to the letter: a token refused by single_word still
// uses up its text, and stripped white space doesn't hide a token that begins inside it.
std::vector<TextPiece> AddedTokens::split_at(const StringSet& set, std::string_view text) const {
    std::vector<TextPiece> segments;
    std::size_t done = 0;
    std::size_t offset = 0;
    std::size_t space_begin = 0;  // the last white space that was stripped behind a token
    std::size_t space_end = 0;
    while (!set.empty() && offset < text.size()) {
        const std::optional<StringSet::Match> match = set.longest_at(text, offset);
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
            begin = std::max(skip_space_backward(text, begin, done), done);
        }
        if (token.rstrip) {
            if (end < space_begin || end >= space_end) {
                space_begin = end;
                space_end = skip_space_forward(text, end);
            }
            end = space_end;
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
    return segments;
}

}  // namespace galapagos
