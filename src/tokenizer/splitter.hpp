#pragma once

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

}  // namespace galapagos
