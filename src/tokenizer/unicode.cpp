#include "tokenizer/unicode.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "tokenizer/unicode_tables.hpp"

namespace galapagos {

namespace {

constexpr std::size_t code_point_count = 0x110000;

// One byte a code point costs a megabyte and makes a lookup one load; splitting asks for every
// character of every prompt.
std::vector<Category> expand_table() {
    std::vector<Category> table(code_point_count, Category::Cn);
    for (std::size_t i = 0; i < category_ranges.size(); ++i) {
        const std::size_t first = category_ranges[i].first;
        const std::size_t last =
            i + 1 < category_ranges.size() ? category_ranges[i + 1].first : code_point_count;
        std::fill(table.begin() + static_cast<std::ptrdiff_t>(first),
                  table.begin() + static_cast<std::ptrdiff_t>(last), category_ranges[i].category);
    }
    return table;
}

bool in_range(char32_t code_point, char32_t first, char32_t last) {
    return first <= code_point && code_point <= last;
}

// Circled and squared Latin letters are symbols that Unicode lists as Other_Alphabetic.
bool is_alphabetic_symbol(char32_t code_point) {
    return in_range(code_point, 0x24B6, 0x24E9) || in_range(code_point, 0x1F130, 0x1F149) ||
           in_range(code_point, 0x1F150, 0x1F169) || in_range(code_point, 0x1F170, 0x1F189);
}

}  // namespace

Category category_of(char32_t code_point) {
    static const std::vector<Category> table = expand_table();
    return code_point < code_point_count ? table[code_point] : Category::Cn;
}

bool is_letter(char32_t code_point) { return category_of(code_point) <= Category::Lo; }

bool is_mark(char32_t code_point) {
    const Category category = category_of(code_point);
    return Category::Mn <= category && category <= Category::Me;
}

bool is_number(char32_t code_point) {
    const Category category = category_of(code_point);
    return Category::Nd <= category && category <= Category::No;
}

bool is_rust_numeric(char32_t code_point) {
    return is_number(code_point) || in_range(code_point, 0x11DE0, 0x11DE9) ||
           in_range(code_point, 0x16FF4, 0x16FF6);
}

bool is_white_space(char32_t code_point) {
    if (code_point < 0x80) {
        return code_point == ' ' || in_range(code_point, '\t', '\r');
    }
    return code_point == 0x85 ||
           (Category::Zs <= category_of(code_point) && category_of(code_point) <= Category::Zp);
}

bool is_python_space(char32_t code_point) {
    return is_white_space(code_point) || in_range(code_point, 0x1C, 0x1F);
}

bool is_word(char32_t code_point) {
    const Category category = category_of(code_point);
    return category <= Category::Nl || category == Category::Pc || code_point == 0x200C ||
           code_point == 0x200D || is_alphabetic_symbol(code_point);
}

}  // namespace galapagos
