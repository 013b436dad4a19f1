// Products with weights [in, out]. Vectors run along the outputs, and each element is summed in the
// order of the summed dimension.
#pragma once

#include "model/kernels/matrix_vectors.hpp"

namespace galapagos {
namespace {

/// A step of outputs in the order of the columns.
template <typename T>
inline void store_columns(float* target, const Step& sums) {
    if constexpr (sizeof(T) == sizeof(float)) {
        store_step(target, sums);
    } else {
        for (int64_t lane = 0; lane < lanes; ++lane) {
            target[2 * lane] = sums.first[lane];
            target[2 * lane + 1] = sums.second[lane];
        }
    }
}

/// `rows` by `steps` steps of columns. Weights are of type W with rows of `stride`: those of the
/// task, or packed ones.
template <int rows, int steps, typename T, typename W>
void multiply_columns(const MatrixTask<T>& task, int64_t row, int64_t column, const float* x,
                      const W* w, int64_t stride) {
    Step sums[rows][steps];
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
        for (int s = 0; s < steps; ++s) sums[r][s] = Step{};
    for (int64_t k = 0; k < task.in; ++k, x += rows, w += stride) {
#pragma GCC unroll 16
        for (int s = 0; s < steps; ++s) {
            const Step weights = load_step(w + s * step);
            if constexpr (rows <= 2) __builtin_prefetch(w + 16 * stride + s * step);
#pragma GCC unroll 16
            for (int r = 0; r < rows; ++r) {
                sums[r][s].first += weights.first * x[r];
                sums[r][s].second += weights.second * x[r];
            }
        }
    }
    float line[step];
    for (int r = 0; r < rows; ++r)
        for (int s = 0; s < steps; ++s) {
            store_columns<T>(line, sums[r][s]);
            for (int64_t c = 0; c < step; c += 4) {
                const int64_t at = column + s * step + c;
                if (at < task.last)
                    finish_four(task, row + r, at, task.last - at, load_four(line + c));
            }
        }
}

/// Rows that are multiplied together, widened and turned: [k][row].
template <typename T>
void turn_rows(const MatrixTask<T>& task, int64_t row, int64_t rows, float* target) {
    for (int64_t k = 0; k < task.in; ++k)
        for (int64_t r = 0; r < rows; ++r)
            target[k * rows + r] = widened(task.input[(row + r) * task.in + k]);
}

/// A step of columns, widened: [k][column], filled up with zeros beyond the last one.
template <typename T>
void pack_columns(const MatrixTask<T>& task, int64_t column, float* target) {
    const int64_t left = task.out - column;
    const T* source = task.weight + column;
    for (int64_t k = 0; k < task.in; ++k, source += task.out, target += step) {
        if (k + 16 < task.in) __builtin_prefetch(source + 16 * task.out);
        store_step(target, left >= step ? load_step(source) : load_part(source, left));
    }
}

constexpr int64_t turned_rows = 6;

/// Few rows: the weights are read where they lie, as far as whole tiles go.
template <int rows, int steps, typename T>
void multiply_few_turned(const MatrixTask<T>& task) {
    float* x = scratch.floats((rows + step) * task.in);
    float* packed = x + rows * task.in;
    turn_rows(task, 0, rows, x);
    int64_t column = task.first;
    for (; column < task.last && column + steps * step <= task.out; column += steps * step)
        multiply_columns<rows, steps>(task, 0, column, x, task.weight + column, task.out);
    for (; column < task.last; column += step) {
        pack_columns(task, column, packed);
        multiply_columns<rows, 1>(task, 0, column, x, packed, step);
    }
}

template <typename T>
void multiply_turned_tile(int64_t rows, const MatrixTask<T>& task, int64_t row, int64_t column,
                          const float* x, const float* w) {
    switch (rows) {
        case 1:
            return multiply_columns<1, 1>(task, row, column, x, w, step);
        case 2:
            return multiply_columns<2, 1>(task, row, column, x, w, step);
        case 3:
            return multiply_columns<3, 1>(task, row, column, x, w, step);
        case 4:
            return multiply_columns<4, 1>(task, row, column, x, w, step);
        case 5:
            return multiply_columns<5, 1>(task, row, column, x, w, step);
        default:
            return multiply_columns<6, 1>(task, row, column, x, w, step);
    }
}

/// Blocks of rows that stay in the second-level cache; a step of columns is packed for each.
template <typename T>
void multiply_many_turned(const MatrixTask<T>& task) {
    constexpr int64_t floats = 48 << 10;
    int64_t block = floats / task.in / turned_rows * turned_rows;
    block = block < 4 * turned_rows ? 4 * turned_rows : block;
    float* weights = scratch.floats((block + step) * task.in);
    float* x = weights + step * task.in;
    for (int64_t first = 0; first < task.rows; first += block) {
        const int64_t last = task.rows - first < block ? task.rows : first + block;
        for (int64_t row = first; row < last; row += turned_rows)
            turn_rows(task, row, last - row < turned_rows ? last - row : turned_rows,
                      x + (row - first) * task.in);
        for (int64_t column = task.first; column < task.last; column += step) {
            pack_columns(task, column, weights);
            for (int64_t row = first; row < last; row += turned_rows)
                multiply_turned_tile(last - row, task, row, column, x + (row - first) * task.in,
                                     weights);
        }
    }
}

template <typename T>
void multiply_transposed(const MatrixTask<T>& task) {
    switch (task.rows) {
        case 1:
            return multiply_few_turned<1, 4>(task);
        case 2:
            return multiply_few_turned<2, 2>(task);
        case 3:
            return multiply_few_turned<3, 2>(task);
        default:
            return multiply_many_turned(task);
    }
}

}  // namespace
}  // namespace galapagos
