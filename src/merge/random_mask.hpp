// The random words that decide which elements of a task vector DARE keeps.
#pragma once

#include <cstdint>

namespace galapagos {

/// Keep probabilities are multiples of 1/4096: 12 random bits decide on an element, so that the
/// sum over the kept elements can be tabulated for every probability.
inline constexpr int probability_bits = 12;
inline constexpr std::uint32_t probability_levels = 1u << probability_bits;

/// Which stream of random words: the same for the same seed, tensor and place in the recipe.
struct MaskStream {
    std::uint64_t seed = 0;
    std::uint64_t name_hash = 0;
    std::uint32_t position = 0;

    bool operator==(const MaskStream&) const = default;
};

/// Half a word of Philox4x32-10.
using RandomWord = std::uint16_t;

/// Elements whose words come from the same 16 Philox counters.
inline constexpr std::int64_t mask_tile = 128;

/// Makes the words of elements [first, first + count) and returns where they lie in `room`, which
/// takes whole tiles: count + mask_room elements are always enough. With j = e mod 128, element e
/// takes, of counter number 16 * (e div 128) + (j mod 32) div 2, word j div 32, the lower half if j
/// is even, else the upper. The counter's other words are (position, purpose) and the hash of the
/// tensor's name; the key is the seed.
const RandomWord* mask_words(const MaskStream& stream, std::int64_t first, std::int64_t count,
                             RandomWord* room);
inline constexpr std::int64_t mask_room = 2 * mask_tile;

/// The density's level, at least 1 and at most levels - 1 for densities strictly between 0 and 1.
std::uint32_t probability_level(double density) noexcept;
/// An element is kept if its word is below this.
constexpr RandomWord keep_limit(std::uint32_t level) noexcept {
    return static_cast<RandomWord>(level << (16 - probability_bits));
}

}  // namespace galapagos
