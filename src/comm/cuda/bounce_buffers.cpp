#include "comm/cuda/bounce_buffers.hpp"

#include <algorithm>
#include <thread>

#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {

BounceBuffers::BounceBuffers(std::size_t bytes)
    : buffers_{{{PinnedBuffer(bytes), Event()}, {PinnedBuffer(bytes), Event()}}} {}

void BounceBuffers::copy_in(const Stream& stream, std::size_t bytes, const FillPiece& fill,
                            std::byte* to) {
    const std::size_t piece = buffers_.front().memory.bytes();
    for (std::size_t at = 0; at < bytes; at += piece) {
        const std::size_t size = std::min(piece, bytes - at);
        Buffer& buffer = free_buffer();
        fill(at, at + size, buffer.memory.data());
        check(cudaMemcpyAsync(to + at, buffer.memory.data(), size, cudaMemcpyHostToDevice,
                              stream.handle()),
              "can't copy to the GPU");
        buffer.read.record(stream);
    }
}

/// The one that was used longest ago, once the bus has read it.
BounceBuffers::Buffer& BounceBuffers::free_buffer() {
    Buffer& buffer = buffers_[next_];
    next_ = (next_ + 1) % buffers_.size();
    while (!buffer.read.reached()) std::this_thread::yield();
    return buffer;
}

}  // namespace galapagos::cuda
