#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galapagos {

/// The component Metaspace before it cuts: writes spaces as another character, usually ▁, and may
/// put one in front.
struct Metaspace {
    enum class Prepend : std::uint8_t {
        first,   // to the piece that begins the whole text
        always,  // to every piece
        never
    };

    std::string replacement;  // UTF-8 of one character
    Prepend prepend = Prepend::always;

    /// `piece` rewritten; `begins_text` says that it begins with the first character of the whole
    /// text. One that begins with the replacement gets none in front.
    std::string rewrite(std::string_view piece, bool begins_text) const;
};

}  // namespace galapagos
