#include "tokenizer/digits_splitter.hpp"

#include <cstddef>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

DigitsSplitter::DigitsSplitter(bool individual_digits) : individual_digits_(individual_digits) {}

void DigitsSplitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    std::size_t begin = 0;
    bool previous_is_number = false;
    for (std::size_t offset = 0; offset < text.size();) {
        const CodePoint point = code_point_at(text, offset);
        const bool is_number = is_rust_numeric(point.value);
        const bool starts_piece =
            is_number != previous_is_number || (is_number && individual_digits_);
        if (starts_piece && offset > begin) {
            pieces.push_back(text.substr(begin, offset - begin));
            begin = offset;
        }
        previous_is_number = is_number;
        offset += point.size;
    }
    if (begin < text.size()) {
        pieces.push_back(text.substr(begin));
    }
}

}  // namespace galapagos
