#include "task/decimal.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr std::size_t longest_exponent = 9;  // digits; keeps the arithmetic inside long

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// ASCII of a character that can be part of a number; '?' for any other.
char to_ascii(char32_t code_point) {
    constexpr char32_t full_width_offset = 0xFEE0;
    if (code_point >= 0xFF01 && code_point <= 0xFF5E) {
        code_point -= full_width_offset;
    }
    if (code_point == 0x2212) {  // minus sign
        return '-';
    }
    return code_point < 0x80 ? static_cast<char>(code_point) : '?';
}

std::string normalise(std::string_view text) {
    std::vector<char32_t> points;
    for (std::size_t offset = 0; offset < text.size();) {
        const CodePoint point = code_point_at(text, offset);
        points.push_back(point.value);
        offset += point.size;
    }
    const auto not_space = [](char32_t point) { return !is_white_space(point); };
    const auto begin = std::find_if(points.begin(), points.end(), not_space);
    const auto end = std::find_if(points.rbegin(), points.rend(), not_space).base();
    std::string ascii;
    for (auto point = begin; point < end; ++point) {
        ascii += to_ascii(*point);
    }
    return ascii;
}

// Reads characters from the front.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {}

    bool take(std::string_view any_of) {
        if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) {
            return false;
        }
        text_.remove_prefix(1);
        return true;
    }

    std::string take_digits() {
        std::string digits;
        while (!text_.empty() && is_digit(text_.front())) {
            digits += text_.front();
            text_.remove_prefix(1);
        }
        return digits;
    }

    char next() const { return text_.empty() ? '\0' : text_.front(); }
    bool at_end() const { return text_.empty(); }

  private:
    std::string_view text_;
};

// Digits before the point, commas checked and removed.
std::optional<std::string> take_whole_part(Cursor& cursor) {
    std::string digits = cursor.take_digits();
    if (cursor.next() != ',') {
        return digits;
    }
    if (digits.empty() || digits.size() > 3) {
        return std::nullopt;
    }
    while (cursor.take(",")) {
        const std::string group = cursor.take_digits();
        if (group.size() != 3) {
            return std::nullopt;
        }
        digits += group;
    }
    return digits;
}

std::optional<long> take_exponent(Cursor& cursor) {
    if (!cursor.take("eE")) {
        return 0;
    }
    const bool negative = cursor.next() == '-';
    cursor.take("+-");
    const std::string digits = cursor.take_digits();
    if (digits.empty() || digits.size() > longest_exponent) {
        return std::nullopt;
    }
    const long value = std::stol(digits);
    return negative ? -value : value;
}

Decimal make_decimal(bool negative, const std::string& whole, const std::string& fraction,
                     long exponent) {
    Decimal number;
    number.digits = whole + fraction;
    const std::size_t first = number.digits.find_first_not_of('0');
    if (first == std::string::npos) {
        return {};
    }
    number.negative = negative;
    number.exponent = exponent + static_cast<long>(whole.size()) - static_cast<long>(first);
    number.digits.erase(number.digits.find_last_not_of('0') + 1);
    number.digits.erase(0, first);
    return number;
}

}  // namespace

std::optional<Decimal> parse_decimal(std::string_view text) {
    const std::string ascii = normalise(text);
    Cursor cursor(ascii);
    const bool negative = cursor.next() == '-';
    cursor.take("+-");
    const std::optional<std::string> whole = take_whole_part(cursor);
    if (!whole) {
        return std::nullopt;
    }
    const std::string fraction = cursor.take(".") ? cursor.take_digits() : "";
    if (whole->empty() && fraction.empty()) {
        return std::nullopt;
    }
    const std::optional<long> exponent = take_exponent(cursor);
    if (!exponent || !cursor.at_end()) {
        return std::nullopt;
    }
    return make_decimal(negative, *whole, fraction, *exponent);
}

}  // namespace galapagos
