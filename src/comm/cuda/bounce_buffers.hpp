// Copies to the GPU from memory that its bus can't read by itself.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "comm/cuda/memory.hpp"
#include "comm/cuda/stream.hpp"
#include "comm/host_pieces.hpp"

namespace galapagos::cuda {

/// Some pinned buffers: while the bus reads one, the host fills another.
class BounceBuffers {
  public:
    /// A piece takes the bus a millisecond or less (PCIe 4: 1.1, PCIe 5: 0.5), long against what
    /// starting a copy and the host's threads takes.
    static constexpr std::size_t usual_bytes = std::size_t{32} << 20;

    /// Of this size each.
    explicit BounceBuffers(std::size_t bytes, std::size_t count = 2);

    /// As a StreamIn, behind what the stream has to do. Waits for a buffer to be free: with `wait`,
    /// which returns when the event is reached.
    void copy_in(const Stream& stream, std::size_t bytes, const FillPiece& fill, std::byte* to,
                 const std::function<void(const Event&)>& wait = yield_until_reached);

  private:
    struct Buffer {
        PinnedBuffer memory;
        Event read;  ///< by the bus
    };
    static void yield_until_reached(const Event& event);

    std::vector<Buffer> buffers_;
    std::size_t next_ = 0;
};

}  // namespace galapagos::cuda
