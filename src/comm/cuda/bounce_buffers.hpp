// Copies to the GPU from memory that its bus can't read by itself.
#pragma once

#include <array>
#include <cstddef>

#include "comm/cuda/memory.hpp"
#include "comm/cuda/stream.hpp"
#include "comm/host_pieces.hpp"

namespace galapagos::cuda {

/// Two pinned buffers: while the bus reads one, the host fills the other.
class BounceBuffers {
  public:
    /// A piece takes the bus a millisecond or less (PCIe 4: 1.1, PCIe 5: 0.5), long against what
    /// starting a copy and the host's threads takes.
    static constexpr std::size_t usual_bytes = std::size_t{32} << 20;

    /// Of this size each.
    explicit BounceBuffers(std::size_t bytes);

    /// As a StreamIn, behind what the stream has to do. Waits for a buffer to be free.
    void copy_in(const Stream& stream, std::size_t bytes, const FillPiece& fill, std::byte* to);

  private:
    struct Buffer {
        PinnedBuffer memory;
        Event read;  ///< by the bus
    };
    Buffer& free_buffer();

    std::array<Buffer, 2> buffers_;
    std::size_t next_ = 0;
};

}  // namespace galapagos::cuda
