// Products with weights [out, in]. Both operands run along the summed dimension. An output element
// has a vector of partial sums, which is summed across after each chunk of the dimension; chunks
// are so long that the operands of a tile stay in the first-level cache.
#pragma once

#include "model/kernels/matrix_vectors.hpp"

namespace galapagos {
namespace {

/// How the summed dimension is cut, which depends on its length alone.
struct Chunks {
    explicit Chunks(int64_t in) : length(in) {
        constexpr int64_t longest = 1024;
        const int64_t steps = (in + step - 1) / step;
        const int64_t chunks = (in + longest - 1) / longest;
        depth = (steps + chunks - 1) / chunks * step;
        padded = steps * step;
    }
    int64_t size_at(int64_t begin) const { return length - begin < depth ? length - begin : depth; }
    int64_t length;
    int64_t depth;   ///< of a chunk; the last may be shorter
    int64_t padded;  ///< the whole, in full steps
};

inline int64_t full_steps(int64_t elements) { return (elements + step - 1) / step * step; }

inline Four halves_added(Vector v) {
#if GALAPAGOS_VECTOR_BYTES == 32
    return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
    return v;
#endif
}

/// The sums of four vectors' lanes.
inline Four sum_across(const Vector* vectors) {
    const Four a = halves_added(vectors[0]), b = halves_added(vectors[1]);
    const Four c = halves_added(vectors[2]), d = halves_added(vectors[3]);
    const Four ab =
        __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const Four cd =
        __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
           __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/// Widens `size` elements of several rows and lays them out in the order in which a tile reads
/// them: [step][half of the step][row][lane], filled up with zeros.
template <int count, typename T>
inline void pack(const T* const* rows, int64_t begin, int64_t size, float* target) {
    const auto put = [&](int r, const Step& values) __attribute__((always_inline)) {
        store_vector(target + r * lanes, values.first);
        store_vector(target + (count + r) * lanes, values.second);
    };
    int64_t k = 0;
    for (; k + step <= size; k += step, target += count * step)
        for (int r = 0; r < count; ++r) put(r, load_step(rows[r] + begin + k));
    if (k < size)
        for (int r = 0; r < count; ++r) put(r, load_part(rows[r] + begin + k, size - k));
}

template <int count, typename T>
inline void pack_rows(const T* first, int64_t stride, int64_t begin, int64_t size, float* target) {
    const T* rows[count];
    for (int r = 0; r < count; ++r) rows[r] = first + r * stride;
    pack<count>(rows, begin, size, target);
}

/// Adds the products of packed rows and four packed columns over one chunk.
template <int rows>
void add_tile(const float* x, const float* w, int64_t vectors, Four* totals) {
    Vector sums[rows][4];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < 4; ++c) sums[r][c] = Vector{};
    for (int64_t v = 0; v < vectors; ++v, x += rows * lanes, w += 4 * lanes) {
        Vector values[rows];
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) values[r] = load_vector(x + r * lanes);
#pragma GCC unroll 8
        for (int c = 0; c < 4; ++c) {
            const Vector weight = load_vector(w + c * lanes);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) sums[r][c] += values[r] * weight;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) totals[r] += sum_across(sums[r]);
}

constexpr int64_t tile_rows = 3;

/// The tile of up to three rows.
inline void add_tile(int64_t rows, const float* x, const float* w, int64_t vectors, Four* totals) {
    switch (rows) {
        case 1:
            return add_tile<1>(x, w, vectors, totals);
        case 2:
            return add_tile<2>(x, w, vectors, totals);
        default:
            return add_tile<3>(x, w, vectors, totals);
    }
}

/// A block of rows, packed once, that stays in the second-level cache while the weights pass by.
template <typename T>
class RowBlock {
  public:
    explicit RowBlock(const MatrixTask<T>& task) : task_(task), chunks_(task.in) {
        constexpr int64_t floats = 48 << 10;
        // Weights are widened once for each block, which must be worth it even where rows are so
        // long that the block leaves that cache.
        constexpr int64_t fewest = 16 * tile_rows;
        capacity_ = floats / chunks_.padded / tile_rows * tile_rows;
        capacity_ = capacity_ < fewest ? fewest : capacity_;
        capacity_ = capacity_ < task.rows ? capacity_ : task.rows;
        totals_ = reinterpret_cast<Four*>(
            scratch.floats(capacity_ * (chunks_.padded + 4) + 4 * chunks_.depth));
        weights_ = reinterpret_cast<float*>(totals_ + capacity_);
        rows_ = weights_ + 4 * chunks_.depth;
    }

    int64_t capacity() const { return capacity_; }

    void load(int64_t first, int64_t count) {
        first_ = first;
        count_ = count;
        for (int64_t begin = 0; begin < task_.in; begin += chunks_.depth)
            for (int64_t row = 0; row < count; row += tile_rows) {
                const T* source = task_.input + (first + row) * task_.in;
                float* target = packed(begin, row);
                const int64_t size = chunks_.size_at(begin);
                switch (count - row) {
                    case 1:
                        pack_rows<1>(source, task_.in, begin, size, target);
                        break;
                    case 2:
                        pack_rows<2>(source, task_.in, begin, size, target);
                        break;
                    default:
                        pack_rows<3>(source, task_.in, begin, size, target);
                        break;
                }
            }
    }

    void multiply(int64_t column) {
        const int64_t columns = task_.last - column < 4 ? task_.last - column : 4;
        const T* weights[4];
        for (int64_t c = 0; c < 4; ++c)
            weights[c] = task_.weight + (column + (c < columns ? c : columns - 1)) * task_.in;
        Ahead ahead(*this, column + 4);
        for (int64_t row = 0; row < count_; ++row) totals_[row] = Four{};
        for (int64_t begin = 0; begin < task_.in; begin += chunks_.depth) {
            const int64_t size = chunks_.size_at(begin);
            pack<4>(weights, begin, size, weights_);
            for (int64_t row = 0; row < count_; row += tile_rows) {
                ahead.fetch();
                add_tile(count_ - row, packed(begin, row), weights_, full_steps(size) / lanes,
                         totals_ + row);
            }
        }
        for (int64_t row = 0; row < count_; ++row)
            finish_four(task_, first_ + row, column, columns, totals_[row]);
    }

  private:
    /// Fetches the next columns' weights from memory, a few cache lines before each tile.
    class Ahead {
      public:
        Ahead(const RowBlock& block, int64_t column) {
            const MatrixTask<T>& task = block.task_;
            if (column >= task.last) return;
            const int64_t columns = task.last - column < 4 ? task.last - column : 4;
            const int64_t tiles = (block.count_ + tile_rows - 1) / tile_rows *
                                  ((task.in + block.chunks_.depth - 1) / block.chunks_.depth);
            next_ = reinterpret_cast<const char*>(task.weight + column * task.in);
            end_ = reinterpret_cast<const char*>(task.weight + (column + columns) * task.in);
            share_ = ((end_ - next_) / tiles / 64 + 1) * 64;
        }
        void fetch() {
            const char* stop = end_ - next_ < share_ ? end_ : next_ + share_;
            for (; next_ < stop; next_ += 64) __builtin_prefetch(next_);
        }

      private:
        const char* next_ = nullptr;
        const char* end_ = nullptr;
        int64_t share_ = 0;
    };

    float* packed(int64_t begin, int64_t row) const {
        return rows_ + count_ * begin + row * full_steps(chunks_.size_at(begin));
    }

    const MatrixTask<T>& task_;
    Chunks chunks_;
    int64_t capacity_ = 0;
    int64_t first_ = 0;
    int64_t count_ = 0;
    Four* totals_ = nullptr;    ///< [row], of four columns
    float* weights_ = nullptr;  ///< four columns of a chunk
    float* rows_ = nullptr;
};

/// `rows` by 4 * `groups` outputs whose weights are read where they lie. The weights of the tile
/// that lies four tiles further are fetched meanwhile.
template <int rows, int groups, typename T>
void multiply_in_place(const MatrixTask<T>& task, const Chunks& chunks, const float* packed,
                       int64_t column) {
    constexpr int width = 4 * groups;
    const int64_t columns = task.last - column;
    const T* weights[width];
    for (int64_t c = 0; c < width; ++c)
        weights[c] = task.weight + (column + (c < columns ? c : columns - 1)) * task.in;
    Four totals[rows][groups] = {};
    for (int64_t begin = 0; begin < task.in; begin += chunks.depth) {
        Vector sums[rows][width];
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
            for (int c = 0; c < width; ++c) sums[r][c] = Vector{};
        const auto add = [&](auto load, int64_t k) __attribute__((always_inline)) {
#pragma GCC unroll 16
            for (int c = 0; c < width; ++c) {
                const Step w = load(weights[c] + k);
                __builtin_prefetch(weights[c] + 4 * width * task.in + k);
#pragma GCC unroll 16
                for (int r = 0; r < rows; ++r) {
                    sums[r][c] += load_vector(packed + r * lanes) * w.first;
                    sums[r][c] += load_vector(packed + (rows + r) * lanes) * w.second;
                }
            }
            packed += rows * step;
        };
        const int64_t end = begin + chunks.size_at(begin);
        int64_t k = begin;
        for (; k + step <= end; k += step)
            add(
                [](const T* p) __attribute__((always_inline)) { return load_step(p); }, k);
        if (k < end)
            add(
                [rest = end - k](const T* p)
                    __attribute__((always_inline)) { return load_part(p, rest); },
                k);
#pragma GCC unroll 16
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
            for (int g = 0; g < groups; ++g) totals[r][g] += sum_across(sums[r] + 4 * g);
    }
    for (int r = 0; r < rows; ++r)
        for (int g = 0; g < groups && 4 * g < columns; ++g)
            finish_four(task, r, column + 4 * g, columns - 4 * g, totals[r][g]);
}

template <int rows, int groups, typename T>
void multiply_few(const MatrixTask<T>& task) {
    const Chunks chunks(task.in);
    float* packed = scratch.floats(rows * chunks.padded);
    for (int64_t begin = 0; begin < task.in; begin += chunks.depth)
        pack_rows<rows>(task.input, task.in, begin, chunks.size_at(begin), packed + rows * begin);
    for (int64_t column = task.first; column < task.last; column += 4 * groups)
        multiply_in_place<rows, groups>(task, chunks, packed, column);
}

template <typename T>
void multiply(const MatrixTask<T>& task) {
    switch (task.rows) {
        case 1:
            return multiply_few<1, 2>(task);
        case 2:
            return multiply_few<2, 1>(task);
        case 3:
            return multiply_few<3, 1>(task);
        default:
            break;
    }
    RowBlock<T> block(task);
    for (int64_t first = 0; first < task.rows; first += block.capacity()) {
        const int64_t left = task.rows - first;
        block.load(first, left < block.capacity() ? left : block.capacity());
        for (int64_t column = task.first; column < task.last; column += 4) block.multiply(column);
    }
}

}  // namespace
}  // namespace galapagos
