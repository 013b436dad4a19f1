#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace galapagos {

/// What the component Split does with the places where its pattern matches. Of `a-b--c`, cut at
/// `-`, are left: a b c (removed), a - b - - c (isolated), a- b- - c (merged_with_previous),
/// a -b - -c (merged_with_next), a - b -- c (contiguous).
enum class SplitBehavior : std::uint8_t {
    removed,
    isolated,
    merged_with_previous,
    merged_with_next,
    contiguous
};

/// A stretch of text that a pattern matched, or that lies between two matches.
struct Stretch {
    std::string_view text;
    bool matched;
};

/// Appends what `behavior` makes of `stretches`, which follow each other in one text.
void join_stretches(const std::vector<Stretch>& stretches, SplitBehavior behavior,
                    std::vector<std::string_view>& pieces);

}  // namespace galapagos
