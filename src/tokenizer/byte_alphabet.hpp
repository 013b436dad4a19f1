#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galapagos {

/// GPT-2's way to write bytes as visible characters: printable bytes of Latin-1 stand for
/// themselves, the other 68 become U+0100 and up in order (space is Ġ). Vocabularies of byte-level
/// BPE are written in it.

/// The character for `byte`.
char32_t alphabet_character(unsigned char byte);

/// `bytes` in the alphabet, as UTF-8.
std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that `text` (valid UTF-8) stands for; nothing if a character isn't in the alphabet.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace galapagos
