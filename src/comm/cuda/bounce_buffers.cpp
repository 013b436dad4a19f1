#include "comm/cuda/bounce_buffers.hpp"

#include <algorithm>
#include <thread>

#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {

BounceBuffers::BounceBuffers(std::size_t bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) buffers_.push_back({PinnedBuffer(bytes), Event()});
}

void BounceBuffers::copy_in(const Stream& stream, std::size_t bytes, const FillPiece& fill,
                            std::byte* to, const std::function<void(const Event&)>& wait) {
    const std::size_t piece = buffers_.front().memory.bytes();
    for (std::size_t at = 0; at < bytes; at += piece) {
        const std::size_t size = std::min(piece, bytes - at);
        Buffer& buffer = buffers_[next_];  // the one that was used longest ago
        next_ = (next_ + 1) % buffers_.size();
        wait(buffer.read);
        fill(at, at + size, buffer.memory.data());
        check(cudaMemcpyAsync(to + at, buffer.memory.data(), size, cudaMemcpyHostToDevice,
                              stream.handle()),
              "can't copy to the GPU");
        buffer.read.record(stream);
    }
}

void BounceBuffers::yield_until_reached(const Event& event) {
    while (!event.reached()) std::this_thread::yield();
}

}  // namespace galapagos::cuda
