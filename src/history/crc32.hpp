#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace galapagos {

/// CRC-32 as zlib computes it, so that Python checks it with zlib.crc32.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t previous = 0);

}  // namespace galapagos
