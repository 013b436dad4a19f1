#include "tokenizer/metaspace.hpp"

namespace galapagos {

std::string Metaspace::rewrite(std::string_view piece, bool begins_text) const {
    std::string text;
    text.reserve(piece.size() + piece.size() / 2 + replacement.size());
    const bool wanted = prepend == Prepend::always || (prepend == Prepend::first && begins_text);
    if (wanted && !piece.starts_with(' ') && !piece.starts_with(replacement)) {
        text += replacement;
    }
    for (const char c : piece) {
        if (c == ' ') {
            text += replacement;
        } else {
            text += c;
        }
    }
    return text;
}

}  // namespace galapagos
