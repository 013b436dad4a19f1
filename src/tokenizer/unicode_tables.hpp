#pragma once

#include <array>
#include <cstddef>

#include "tokenizer/unicode.hpp"

namespace galapagos {

/// A run of code points of one category: it ends where the next range begins.
struct CategoryRange {
    char32_t first;
    Category category;
};

inline constexpr std::size_t category_range_count = 4099;
extern const std::array<CategoryRange, category_range_count> category_ranges;

}  // namespace galapagos
