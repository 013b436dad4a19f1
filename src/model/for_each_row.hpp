#pragma once

#include <algorithm>
#include <cstdint>

#include "model/for_each_range.hpp"

namespace galapagos {

/// Calls `body(row)` for every row of `width` elements, on several threads where that pays.
template <typename Body>
void for_each_row(int64_t rows, int64_t width, Body&& body) {
    /// Elements of row-wise work that are worth waking another thread for.
    constexpr int64_t elements_per_task = 16384;
    const int64_t grain = std::max<int64_t>(1, elements_per_task / std::max<int64_t>(1, width));
    for_each_range(0, rows, grain, [&](int64_t first, int64_t last, int) {
        for (int64_t row = first; row < last; ++row) body(row);
    });
}

}  // namespace galapagos
