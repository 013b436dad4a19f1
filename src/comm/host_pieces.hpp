// Bytes on their way to a device that the host makes piece by piece.
#pragma once

#include <cstddef>
#include <functional>

namespace galapagos {

/// Puts bytes [begin, end) of a stretch to `to`, in the host's memory.
using FillPiece = std::function<void(std::size_t begin, std::size_t end, std::byte* to)>;

/// Queues a copy of a stretch of `bytes` bytes to the device. `fill` is called for one piece after
/// the other, and not again once the call has returned.
using StreamIn = std::function<void(std::size_t bytes, const FillPiece& fill, std::byte* to)>;

}  // namespace galapagos
