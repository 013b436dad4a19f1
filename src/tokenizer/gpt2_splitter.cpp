#include "tokenizer/gpt2_splitter.hpp"

#include <array>
#include <cstddef>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

enum class Kind { letter, number, space, other };

Kind kind_of(char32_t code_point) {
    if (is_letter(code_point)) {
        return Kind::letter;
    }
    if (is_number(code_point)) {
        return Kind::number;
    }
    return is_white_space(code_point) ? Kind::space : Kind::other;
}

// Bytes of the English contraction at the start of `text`; 0 if there is none. The order is the
// pattern's.
std::size_t contraction_size(std::string_view text) {
    constexpr std::array<std::string_view, 7> contractions{"'s", "'t",  "'re", "'ve",
                                                           "'m", "'ll", "'d"};
    for (const std::string_view contraction : contractions) {
        if (text.starts_with(contraction)) {
            return contraction.size();
        }
    }
    return 0;
}

// End of the run of characters of one kind that begins at `offset`.
std::size_t run_end(std::string_view text, std::size_t offset, Kind kind) {
    while (offset < text.size()) {
        const CodePoint point = code_point_at(text, offset);
        if (kind_of(point.value) != kind) {
            break;
        }
        offset += point.size;
    }
    return offset;
}

// White space before a word leaves its last character to the word: `\s+(?!\S)` backtracks by one,
// unless only one is there.
std::size_t space_end(std::string_view text, std::size_t begin) {
    const std::size_t end = run_end(text, begin, Kind::space);
    if (end == text.size()) {
        return end;
    }
    const std::size_t shortened = end - code_point_before(text, end).size;
    return shortened > begin ? shortened : end;
}

std::size_t piece_end(std::string_view text, std::size_t begin) {
    if (const std::size_t size = contraction_size(text.substr(begin)); size > 0) {
        return begin + size;
    }
    // ` ?` takes a plain space, and no other white space, into the run that follows it.
    const std::size_t run = text[begin] == ' ' ? begin + 1 : begin;
    if (run < text.size()) {
        const Kind kind = kind_of(code_point_at(text, run).value);
        if (kind != Kind::space) {
            return run_end(text, run, kind);
        }
    }
    return space_end(text, begin);
}

}  // namespace

void Gpt2Splitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    cut_pieces(text, pieces, piece_end);
}

}  // namespace galapagos
