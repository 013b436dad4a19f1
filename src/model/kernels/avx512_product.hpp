// Products with weights [out, in] for AVX-512, included by the files that are compiled for it. Both
// operands run along the summed dimension: each output element has a vector of partial sums, which
// is summed across after each chunk of the dimension. Rows are packed, a tile of them at a time;
// weights are read where they lie, and widened in registers.
// Everything here has internal linkage and calls no inline function of another header, so that no
// code for a newer processor leaks out.
#pragma once

#include <immintrin.h>

#include "model/kernels/matrix_kernels.hpp"
#include "model/kernels/scratch.hpp"

namespace galapagos {
namespace {

/// Elements of the summed dimension that a turn of the loop takes.
constexpr int64_t turn = 32;
/// Elements of it that are summed in vectors: what a tile of rows takes of them stays in the
/// first-level cache.
constexpr int64_t chunk = 1024;
/// Rows of a tile; with four columns their accumulators fit in registers.
constexpr int64_t tile_rows = 6;
/// Weights that stay in the second-level cache while all rows pass by.
constexpr int64_t block_bytes = 512 << 10;
constexpr int64_t most_columns = 512;

inline __mmask32 first_of_32(int64_t n) {
    return static_cast<__mmask32>((std::uint64_t{1} << n) - 1U);
}

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// How elements are multiplied. A turn's are `vectors` vectors, which hold the same elements in the
/// same lanes for inputs and weights; load_first takes the first n and zeros.
template <typename T>
struct MultiplyAdd;

template <>
struct MultiplyAdd<float> {
    using Element = float;
    using Vector = __m512;
    static constexpr int vectors = 2;
    template <int part>
    static Vector load(const float* p) {
        return _mm512_loadu_ps(p + 16 * part);
    }
    template <int part>
    static Vector load_first(const float* p, int64_t n) {
        const auto mask = static_cast<__mmask16>(first_of_32(n) >> (16 * part));
        return _mm512_maskz_loadu_ps(mask, p + 16 * part);
    }
    static __m512 add(__m512 sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }
};

/// The elements with even places in the first vector, those with odd ones in the second.
template <>
struct MultiplyAdd<Bf16> {
    using Element = Bf16;
    using Vector = __m512;
    static constexpr int vectors = 2;
    template <int part>
    static Vector load(const Bf16* p) {
        return widen<part>(_mm512_loadu_si512(p));
    }
    template <int part>
    static Vector load_first(const Bf16* p, int64_t n) {
        return widen<part>(_mm512_maskz_loadu_epi16(first_of_32(n), p));
    }
    static __m512 add(__m512 sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }

  private:
    template <int part>
    static Vector widen(__m512i pairs) {
        return _mm512_castsi512_ps(part == 0
                                       ? _mm512_slli_epi32(pairs, 16)
                                       : _mm512_and_si512(pairs, _mm512_set1_epi32(-0x10000)));
    }
};

/// The sums of four vectors' lanes.
inline __m128 sum_across(__m512 a, __m512 b, __m512 c, __m512 d) {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512 four =
        _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
    const __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
    return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

/// Rows and columns whose sums are in registers.
template <typename Way>
struct Tile {
    const typename Way::Vector* input;    ///< packed
    const typename Way::Element* weight;  ///< of the first column and the chunk's first element
    int64_t in;                           ///< from one column's weights to the next one's
    int64_t length;                       ///< of the chunk
    int64_t columns;                      ///< less than the tile's at the end
    float* sums;                          ///< of the first row and column
    int64_t stride;                       ///< from one row's sums to the next one's
    bool add;                             ///< to the sums of earlier chunks
};

/// Meanwhile the weights `ahead` columns further are fetched from memory (0: they are in the
/// cache).
template <typename Way, int rows, int groups, int ahead>
void multiply_tile(const Tile<Way>& tile) {
    using T = typename Way::Element;
    constexpr int width = 4 * groups;
    const T* weights[width];
    for (int c = 0; c < width; ++c)
        weights[c] = tile.weight + smaller(c, tile.columns - 1) * tile.in;
    __m512 sums[rows][width];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < width; ++c) sums[r][c] = _mm512_setzero_ps();

    const auto* x = tile.input;
    const auto add_part = [&](auto load) __attribute__((always_inline)) {
        typename Way::Vector w[width];
#pragma GCC unroll 8
        for (int c = 0; c < width; ++c) w[c] = load(weights[c]);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
            for (int c = 0; c < width; ++c) sums[r][c] = Way::add(sums[r][c], x[r], w[c]);
        x += rows;
    };
    int64_t k = 0;
    for (; k + turn <= tile.length; k += turn) {
        add_part([k](const T* p)
                     __attribute__((always_inline)) { return Way::template load<0>(p + k); });
        if constexpr (Way::vectors == 2)
            add_part([k](const T* p)
                         __attribute__((always_inline)) { return Way::template load<1>(p + k); });
        if constexpr (ahead > 0)
#pragma GCC unroll 8
            for (int c = 0; c < width; ++c)
                for (std::size_t line = 0; line < turn * sizeof(T); line += 64)
                    _mm_prefetch(
                        reinterpret_cast<const char*>(weights[c] + ahead * tile.in + k) + line,
                        _MM_HINT_T0);
    }
    if (const int64_t rest = tile.length - k; rest > 0) {
        add_part([ k, rest ](const T* p) __attribute__((always_inline)) {
            return Way::template load_first<0>(p + k, rest);
        });
        if constexpr (Way::vectors == 2)
            add_part([ k, rest ](const T* p) __attribute__((always_inline)) {
                return Way::template load_first<1>(p + k, rest);
            });
    }

#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) {
        const int64_t count = smaller(4, tile.columns - 4 * g);
        if (count <= 0) return;
        const auto mask = static_cast<__mmask8>((1U << count) - 1U);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
            const __m512* s = sums[r] + 4 * g;
            float* place = tile.sums + r * tile.stride + 4 * g;
            __m128 total = sum_across(s[0], s[1], s[2], s[3]);
            if (tile.add) total = _mm_add_ps(total, _mm_maskz_loadu_ps(mask, place));
            _mm_mask_storeu_ps(place, mask, total);
        }
    }
}

/// A few rows of the input, in the order in which a tile reads them: for each turn its vectors, of
/// these one for each row.
template <typename Way>
void pack_rows(const typename Way::Element* input, int64_t in, int64_t rows,
               typename Way::Vector* packed) {
    for (int64_t k = 0; k < in; k += turn, packed += Way::vectors * rows)
        for (int64_t r = 0; r < rows; ++r) {
            const auto* p = input + r * in + k;
            const int64_t n = smaller(turn, in - k);
            packed[r] = n == turn ? Way::template load<0>(p) : Way::template load_first<0>(p, n);
            if constexpr (Way::vectors == 2)
                packed[rows + r] =
                    n == turn ? Way::template load<1>(p) : Way::template load_first<1>(p, n);
        }
}

/// Columns [first, last) of a task, and what their sums need.
template <typename Way>
struct ColumnBlock {
    const MatrixTask<typename Way::Element>& task;
    int64_t first, last;
    typename Way::Vector* packed;
    float* sums;  ///< [tile_rows, most_columns]
};

/// Sums of `rows` rows from `row` on.
template <typename Way, int rows, int groups, int ahead>
void sum_rows(const ColumnBlock<Way>& block, int64_t row) {
    const auto& task = block.task;
    pack_rows<Way>(task.input + row * task.in, task.in, rows, block.packed);
    for (int64_t begin = 0; begin < task.in; begin += chunk) {
        const int64_t length = smaller(chunk, task.in - begin);
        for (int64_t column = block.first; column < block.last; column += 4 * groups)
            multiply_tile<Way, rows, groups, ahead>(
                {block.packed + begin / turn * Way::vectors * rows,
                 task.weight + column * task.in + begin, task.in, length, block.last - column,
                 block.sums + (column - block.first), most_columns, begin > 0});
    }
}

inline void store(float* p, __mmask16 mask, __m512 v) { _mm512_mask_storeu_ps(p, mask, v); }
inline void store(Bf16* p, __mmask16 mask, __m512 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    _mm256_mask_storeu_epi16(
        p, mask,
        _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7fc0))));
}
inline __m512 load_bias(const float* p, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, p); }
inline __m512 load_bias(const Bf16* p, __mmask16 mask) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p)), 16));
}

/// Brings the sums of a tile's rows to the output.
template <typename Way>
void store_rows(const ColumnBlock<Way>& block, int64_t row, int64_t rows) {
    const auto& task = block.task;
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t column = block.first; column < block.last; column += 16) {
            const auto mask = static_cast<__mmask16>(first_of_32(smaller(16, block.last - column)));
            __m512 total =
                _mm512_maskz_loadu_ps(mask, block.sums + r * most_columns + (column - block.first));
            if (task.bias != nullptr)
                total = _mm512_add_ps(total, load_bias(task.bias + column, mask));
            const int64_t place = (row + r) * task.out + column;
            if (task.wide != nullptr)
                store(task.wide + place, mask, total);
            else
                store(task.output + place, mask, total);
        }
}

/// The tile of rows that begins at `row`; returns how many they are. Of one or two rows eight
/// columns are taken at a time, which keeps more loads in flight.
template <typename Way, int ahead>
int64_t multiply_rows(const ColumnBlock<Way>& block, int64_t row) {
    const int64_t rows = smaller(block.task.rows - row, tile_rows);
    switch (rows) {
        case 1:
            sum_rows<Way, 1, 2, 2 * ahead>(block, row);
            break;
        case 2:
            sum_rows<Way, 2, 2, 2 * ahead>(block, row);
            break;
        case 3:
            sum_rows<Way, 3, 1, ahead>(block, row);
            break;
        case 4:
            sum_rows<Way, 4, 1, ahead>(block, row);
            break;
        case 5:
            sum_rows<Way, 5, 1, ahead>(block, row);
            break;
        default:
            sum_rows<Way, tile_rows, 1, ahead>(block, row);
            break;
    }
    store_rows(block, row, rows);
    return rows;
}

template <typename Way>
void multiply_all(const MatrixTask<typename Way::Element>& task) {
    using Vector = typename Way::Vector;
    constexpr int64_t vector_floats = sizeof(Vector) / sizeof(float);
    const int64_t vectors = (task.in + turn - 1) / turn * Way::vectors * tile_rows;
    float* sums = scratch.floats(tile_rows * most_columns + vectors * vector_floats);
    auto* packed = reinterpret_cast<Vector*>(sums + tile_rows * most_columns);
    const int64_t fitting =
        block_bytes / (task.in * static_cast<int64_t>(sizeof(*task.weight))) / 8 * 8;
    const int64_t columns = fitting < 16 ? 16 : smaller(fitting, most_columns);
    for (int64_t first = task.first; first < task.last; first += columns) {
        const int64_t last = smaller(task.last, first + columns);
        const ColumnBlock<Way> block{task, first, last, packed, sums};
        // The first rows fetch the weights from memory, the others find them in the cache.
        int64_t row = multiply_rows<Way, 16>(block, 0);
        while (row < task.rows) row += multiply_rows<Way, 0>(block, row);
    }
}

}  // namespace
}  // namespace galapagos
