#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace galapagos {

/// A code point and the bytes it takes.
struct CodePoint {
    char32_t value;
    std::size_t size;
};

/// The code point that begins at `offset` of valid UTF-8; `offset` must lie inside.
CodePoint code_point_at(std::string_view text, std::size_t offset);

/// The code point that ends just before `offset` of valid UTF-8; `offset` must not be 0.
CodePoint code_point_before(std::string_view text, std::size_t offset);

/// UTF-8 of one code point.
std::string to_utf8(char32_t code_point);

/// Offset of the first byte that isn't part of valid UTF-8, or text.size(). Surrogates, overlong
/// forms and values beyond U+10FFFF are invalid.
std::size_t find_invalid_utf8(std::string_view text);

/// Number of code points of valid UTF-8.
std::size_t count_code_points(std::string_view text);

/// `bytes` with each maximal broken sequence replaced by U+FFFD (Unicode chapter 3.9, "substitution
/// of maximal subparts").
std::string replace_invalid_utf8(std::string_view bytes);

/// Number of bytes at the end of `bytes` that begin a character but don't end it; 0 to 3.
std::size_t incomplete_utf8_tail(std::string_view bytes);

}  // namespace galapagos
