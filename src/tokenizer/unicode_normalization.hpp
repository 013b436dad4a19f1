#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galapagos {

enum class NormalForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Whether `text` (valid UTF-8) is sure to be in `form` already, found in one quick pass; a text
/// that only may be changed gives false.
bool is_surely_normalized(std::string_view text, NormalForm form);

/// `text` (valid UTF-8) in `form`, with the Unicode version of the Hugging Face library (Unicode
/// standard annex 15).
std::string normalize_unicode(std::string_view text, NormalForm form);

}  // namespace galapagos
