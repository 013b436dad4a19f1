#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace galapagos {

/// A number as written, compared by its exact value: no rounding makes 0.1 equal to
/// 0.10000000000000001. The value is 0.DIGITS x 10^exponent; zero has no digits, no sign and
/// exponent 0.
struct Decimal {
    bool negative = false;
    std::string digits;  // without zeros at either end
    long exponent = 0;

    bool operator==(const Decimal&) const = default;
};

/// Reads the whole of `text` as one number, nothing if it isn't: [+-−] digits [. digits] [e [+-]
/// digits], commas between groups of three digits before the point, full-width forms of all of
/// these, white space around. "30.", ".5" and "1,234.00" are numbers, "1,23" isn't.
std::optional<Decimal> parse_decimal(std::string_view text);

}  // namespace galapagos
