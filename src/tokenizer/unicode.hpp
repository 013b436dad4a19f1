#pragma once

#include <cstdint>

namespace galapagos {

/// General categories of Unicode, in their usual two letters; Cn is an unassigned code point.
enum class Category : std::uint8_t {
    Lu,
    Ll,
    Lt,
    Lm,
    Lo,
    Mn,
    Mc,
    Me,
    Nd,
    Nl,
    No,
    Pc,
    Pd,
    Ps,
    Pe,
    Pi,
    Pf,
    Po,
    Sm,
    Sc,
    Sk,
    So,
    Zs,
    Zl,
    Zp,
    Cc,
    Cf,
    Cs,
    Co,
    Cn
};

/// General category in Unicode 16.0; Cn beyond U+10FFFF.
Category category_of(char32_t code_point);

/// `\p{L}`
bool is_letter(char32_t code_point);

/// `\p{M}`
bool is_mark(char32_t code_point);

/// `\p{N}`
bool is_number(char32_t code_point);

/// A number to Rust's char::is_numeric, which is one Unicode version ahead (17.0) of the rest.
bool is_rust_numeric(char32_t code_point);

/// `\s`: the property White_Space. U+180E isn't in it, though PCRE2's UCP mode takes it for a
/// space.
bool is_white_space(char32_t code_point);

/// What Python's str.strip takes away: White_Space and the four information separators.
bool is_python_space(char32_t code_point);

/// `\w` as in UTS #18: alphabetic, mark, decimal number, connector punctuation, join control.
bool is_word(char32_t code_point);

}  // namespace galapagos
