// Walking a part of a slice.
#pragma once

#include <algorithm>
#include <cstdint>

#include "weights/sharding.hpp"

namespace galapagos {

/// Like for_each_run, for the slice's elements [begin, end) only (counted within the slice).
template <typename Visit>
void for_each_run_between(const TensorSlice& slice, const Shape& shape, std::int64_t begin,
                          std::int64_t end, Visit&& visit) {
    if (begin >= end) return;
    if (slice.whole()) {
        visit(SliceRun{begin, begin, end - begin});
        return;
    }
    const auto dim = static_cast<std::size_t>(slice.dim);
    std::int64_t inner = 1;
    for (std::size_t d = dim + 1; d < shape.size(); ++d) inner *= shape[d];
    const std::int64_t row_elements = slice.extent() * inner;  // of the slice, per outer index
    for (std::int64_t row = begin / row_elements; row * row_elements < end; ++row) {
        std::int64_t local = row * row_elements;
        for (const Range& range : slice.ranges) {
            const std::int64_t count = range.size() * inner;
            const std::int64_t first = std::max(local, begin);
            const std::int64_t last = std::min(local + count, end);
            if (first < last)
                visit(SliceRun{(row * shape[dim] + range.begin) * inner + (first - local), first,
                               last - first});
            local += count;
        }
    }
}

}  // namespace galapagos
