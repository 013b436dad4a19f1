#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace galapagos {

/// Cuts text into pieces that BPE then works on one by one. A splitter keeps every byte: its
/// pieces, joined, are the text.
class Splitter {
  public:
    virtual ~Splitter() = default;

    /// Appends the pieces of `text` (valid UTF-8, not empty) to `pieces`, as views into it; no
    /// piece is empty.
    virtual void split(std::string_view text, std::vector<std::string_view>& pieces) const = 0;
};

/// Appends the pieces of `text`, whose ends piece_end(text, begin) finds one after the other.
template <typename PieceEnd>
void cut_pieces(std::string_view text, std::vector<std::string_view>& pieces, PieceEnd piece_end) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = piece_end(text, begin);
        pieces.push_back(text.substr(begin, end - begin));
        begin = end;
    }
}

}  // namespace galapagos
