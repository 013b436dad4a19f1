// The emulated device as the calls of CUDA see it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "emulator/streams.hpp"

namespace galapagos::emulator {

/// Few, so that launches of more blocks than the device runs at once are common.
inline constexpr int multiprocessors = 2;
inline constexpr std::size_t most_block_threads = 1024;
/// What a block may have without asking for more.
inline constexpr std::size_t block_shared_bytes = 48 << 10;

/// Whether a graph holds such work, or a stream that is being recorded.
bool is_recorded(const void* communicator);

inline Stream& stream_of(cudaStream_t handle) {
    return handle == nullptr ? streams().standard() : *reinterpret_cast<Stream*>(handle);
}

}  // namespace galapagos::emulator
