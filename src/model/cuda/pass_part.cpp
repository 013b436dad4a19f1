#include "model/cuda/pass_part.hpp"

#include "model/cuda/attend_tiles.hpp"

namespace galapagos::cuda {
namespace {

/// Where to cut a segment of which so many tokens would fill the first half.
std::int64_t cut_of(const Segment& segment, std::int64_t wanted) {
    const std::int64_t whole_tiles = wanted / tile_tokens * tile_tokens;
    return segment.count - whole_tiles < fewest_tiled_tokens ? segment.count : whole_tiles;
}

}  // namespace

SegmentHalves halve(std::span<const Segment> segments) {
    std::int64_t left = 0;  // in the first half
    for (const Segment& segment : segments) left += segment.count;
    left /= 2;
    SegmentHalves halves;
    for (const Segment& segment : segments) {
        std::int64_t cut = 0;
        if (left >= segment.count)
            cut = segment.count;
        else if (left > 0)
            cut = cut_of(segment, left);
        left = cut < segment.count ? 0 : left - segment.count;
        if (cut > 0) halves.first.push_back({segment.row, segment.position, cut});
        if (cut < segment.count)
            halves.second.push_back({segment.row, segment.position + cut, segment.count - cut});
    }
    return halves;
}

}  // namespace galapagos::cuda
