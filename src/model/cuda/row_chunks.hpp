// Kernels without sums over a row: a thread takes eight elements of one row.
#pragma once

#include <cstdint>

#include "model/cuda/elements.hpp"

namespace galapagos::cuda {

/// [rows, width], dealt out to blocks of 256 threads.
struct RowChunks {
    static constexpr int threads = 256;

    std::int64_t rows = 0;
    std::int64_t width = 0;

    std::int64_t blocks() const { return (rows * chunks_of(width) + threads - 1) / threads; }
    int shared_floats() const { return 0; }
};

/// Calls work(row, chunk, where the chunk begins in [rows, width]) for each thread of the block.
template <typename Block, typename Work>
GALAPAGOS_HOST_DEVICE inline void each_row_chunk(const RowChunks& shape, const Block& block,
                                                 Work&& work) {
    block.each([&](int thread) {
        const std::int64_t number = block.index() * RowChunks::threads + thread;
        const std::int64_t row = number / chunks_of(shape.width);
        if (row >= shape.rows) return;
        const Chunk chunk = chunk_at(number % chunks_of(shape.width), shape.width);
        work(row, chunk, row * shape.width + chunk.first);
    });
}

}  // namespace galapagos::cuda
