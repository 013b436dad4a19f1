// An element's magnitude and number in one word, for selecting.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"
#include "merge/magnitude.hpp"

namespace galapagos {

/// 31 bits and 33 bits: sorts by descending magnitude, then ascending number.
using PlacedKey = std::uint64_t;

inline constexpr int place_bits = 33;

GALAPAGOS_HOST_DEVICE inline PlacedKey placed_key(std::uint32_t key, std::int64_t place) {
    return PlacedKey{magnitude_bits - key} << place_bits | static_cast<PlacedKey>(place);
}
GALAPAGOS_HOST_DEVICE inline std::uint32_t key_of(PlacedKey placed) {
    return magnitude_bits - static_cast<std::uint32_t>(placed >> place_bits);
}
GALAPAGOS_HOST_DEVICE inline std::int64_t place_of(PlacedKey placed) {
    return static_cast<std::int64_t>(placed & ((PlacedKey{1} << place_bits) - 1));
}

}  // namespace galapagos
