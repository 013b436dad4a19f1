#pragma once

#include <cstdint>

namespace galapagos {

/// The bits of a float that say how large it is. As whole numbers they are ordered as the
/// magnitudes of all values that are not NaN.
inline constexpr std::uint32_t magnitude_bits = 0x7FFFFFFFu;

}  // namespace galapagos
