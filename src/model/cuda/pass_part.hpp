// Parts of a pass: while ranks add up the shares of one, they work on the other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/attention.hpp"

namespace galapagos::cuda {

/// Rows of a pass that go through its layers together.
struct PassPart {
    int number = 0;          ///< 0, or 1 of two
    std::int64_t first = 0;  ///< among the rows of the pass
    std::int64_t rows = 0;
    /// Where they begin in what ranks exchange, whose parts begin at multiples of the ranks.
    std::int64_t place = 0;
};

/// Passes of fewer rows stay whole: products of half of them would take nearly as long, since they
/// read the same weights. (An H100 does 295 bf16 operations in the time of reading a byte, and a
/// product of so many rows does as many with one.)
inline constexpr std::int64_t fewest_halved_rows = 768;
inline constexpr bool goes_in_halves(std::int64_t rows, int ranks) {
    return ranks > 1 && rows >= fewest_halved_rows;
}

struct SegmentHalves {
    std::vector<Segment> first, second;
};

/// Two parts of about as many tokens, in the order of the segments. A segment is cut where its
/// tiles of queries end, so that attention gives every token the same bits, and never leaves a
/// rest too short for a tile.
SegmentHalves halve(std::span<const Segment> segments);

}  // namespace galapagos::cuda
