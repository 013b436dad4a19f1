#include "tokenizer/llama3_splitter.hpp"

#include <array>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

enum class Kind { letter, mark, number, space, line_break, other };

Kind kind_of(char32_t code_point) {
    if (code_point == '\r' || code_point == '\n') {
        return Kind::line_break;
    }
    if (is_letter(code_point)) {
        return Kind::letter;
    }
    if (is_number(code_point)) {
        return Kind::number;
    }
    if (is_white_space(code_point)) {
        return Kind::space;
    }
    return is_mark(code_point) ? Kind::mark : Kind::other;
}

// The next character, or the end of the text.
struct Place {
    std::size_t begin;
    std::size_t end;
    Kind kind;

    bool at_end() const { return begin == end; }
};

Place place_at(std::string_view text, std::size_t offset) {
    if (offset == text.size()) {
        return {offset, offset, Kind::space};
    }
    const CodePoint point = code_point_at(text, offset);
    return {offset, offset + point.size, kind_of(point.value)};
}

char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Bytes of the contraction at the start of `text`, in any case; 0 if there is none. The only other
// character that is equal to a letter of these but for its case is ſ, the long s.
std::size_t contraction_size(std::string_view text) {
    if (text.size() < 2 || text[0] != '\'') {
        return 0;
    }
    const char first = lower_ascii(text[1]);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return 2;
    }
    if (text.substr(1).starts_with("\u017F")) {
        return 3;
    }
    const char second = text.size() > 2 ? lower_ascii(text[2]) : '\0';
    const bool is_long = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                         (first == 'l' && second == 'l');
    return is_long ? 3 : 0;
}

// White space up to its last line break; without one, all but the last character, which goes with
// what follows, unless nothing does or it is alone.
std::size_t space_end(std::string_view text, std::size_t begin) {
    std::size_t after_line_break = begin;
    Place place = place_at(text, begin);
    std::size_t last = begin;
    while (!place.at_end() && (place.kind == Kind::space || place.kind == Kind::line_break)) {
        if (place.kind == Kind::line_break) {
            after_line_break = place.end;
        }
        last = place.begin;
        place = place_at(text, place.end);
    }
    if (after_line_break > begin) {
        return after_line_break;
    }
    return place.at_end() || last == begin ? place.begin : last;
}

}  // namespace

Llama3Splitter::Llama3Splitter(std::size_t digits, Words words)
    : digits_(digits), marks_in_words_(words == Words::letters_and_marks) {}

std::size_t Llama3Splitter::piece_end(std::string_view text, std::size_t begin) const {
    if (const std::size_t size = contraction_size(text.substr(begin)); size > 0) {
        return begin + size;
    }
    const auto in_word = [this](const Place& place) {
        return !place.at_end() &&
               (place.kind == Kind::letter || (place.kind == Kind::mark && marks_in_words_));
    };
    const auto is_sign = [this](const Place& place) {
        return !place.at_end() &&
               (place.kind == Kind::other || (place.kind == Kind::mark && !marks_in_words_));
    };
    const Place first = place_at(text, begin);
    const Place second = place_at(text, first.end);
    const bool may_lead_word =
        first.kind == Kind::space || first.kind == Kind::other || first.kind == Kind::mark;
    if (in_word(first) || (may_lead_word && in_word(second))) {
        Place place = second;
        while (in_word(place)) {
            place = place_at(text, place.end);
        }
        return place.begin;
    }
    if (first.kind == Kind::number) {
        Place place = second;
        for (std::size_t count = 1;
             count < digits_ && !place.at_end() && place.kind == Kind::number; ++count) {
            place = place_at(text, place.end);
        }
        return place.begin;
    }
    if (is_sign(first) || (text[begin] == ' ' && is_sign(second))) {
        Place place = second;
        while (is_sign(place)) {
            place = place_at(text, place.end);
        }
        while (!place.at_end() && place.kind == Kind::line_break) {
            place = place_at(text, place.end);
        }
        return place.begin;
    }
    return space_end(text, begin);
}

void Llama3Splitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    cut_pieces(text, pieces, [this](std::string_view whole, std::size_t begin) {
        return piece_end(whole, begin);
    });
}

}  // namespace galapagos
