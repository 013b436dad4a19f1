// Matrix products of row-major operands for AVX-512, bf16 with its dot-product instruction. Both
// operands run along the summed dimension: each output element has a vector accumulator of its
// own, which is summed across at the end.
#include <immintrin.h>

#include "model/kernels/matrix_kernels.hpp"

namespace galapagos {
namespace {

template <typename T>
struct Lanes;

template <>
struct Lanes<float> {
    static constexpr int64_t count = 16;
    using Vector = __m512;
    static Vector load(const float* p) { return _mm512_loadu_ps(p); }
    static Vector load_part(const float* p, int64_t n) {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
    }
    static __m512 add_product(__m512 sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }
    static __m128 load_four(const float* p, __mmask8 mask) { return _mm_maskz_loadu_ps(mask, p); }
    static void store_four(float* p, __mmask8 mask, __m128 v) { _mm_mask_storeu_ps(p, mask, v); }
};

template <>
struct Lanes<Bf16> {
    static constexpr int64_t count = 32;
    using Vector = __m512bh;
    static Vector load(const Bf16* p) { return reinterpret_cast<Vector>(_mm512_loadu_si512(p)); }
    static Vector load_part(const Bf16* p, int64_t n) {
        const auto mask = static_cast<__mmask32>((std::uint64_t{1} << n) - 1U);
        return reinterpret_cast<Vector>(_mm512_maskz_loadu_epi16(mask, p));
    }
    static __m512 add_product(__m512 sum, Vector a, Vector b) {
        return _mm512_dpbf16_ps(sum, a, b);
    }
    static __m128 load_four(const Bf16* p, __mmask8 mask) {
        return _mm_castsi128_ps(
            _mm_slli_epi32(_mm_cvtepu16_epi32(_mm_maskz_loadu_epi16(mask, p)), 16));
    }
    static void store_four(Bf16* p, __mmask8 mask, __m128 v) {
        _mm_mask_storeu_epi16(p, mask, reinterpret_cast<__m128i>(_mm_cvtneps_pbh(v)));
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

/// `rows` by 4 * `groups` output elements, whose accumulators fit in registers. The last `groups`
/// may be partly beyond the end: `columns` of the outputs are stored. Meanwhile the weights of the
/// tile that lies `ahead` tiles further are fetched from memory (0: they are in the cache).
template <typename T, int rows, int groups, int ahead>
void multiply_tile(const MatrixTask<T>& task, int64_t row, int64_t column, int64_t columns) {
    using L = Lanes<T>;
    constexpr int width = 4 * groups;
    const T* input = task.input + row * task.in;
    const T* weights[width];
    for (int c = 0; c < width; ++c)
        weights[c] = task.weight + (column + (c < columns ? c : columns - 1)) * task.in;
    __m512 sums[rows][width];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
        for (int c = 0; c < width; ++c) sums[r][c] = _mm512_setzero_ps();

    const auto step = [&](auto load, int64_t k) __attribute__((always_inline)) {
        typename L::Vector w[width];
#pragma GCC unroll 8
        for (int c = 0; c < width; ++c) {
            w[c] = load(weights[c] + k);
            if constexpr (ahead > 0)
                _mm_prefetch(
                    reinterpret_cast<const char*>(weights[c] + ahead * width * task.in + k),
                    _MM_HINT_T0);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
            const typename L::Vector x = load(input + r * task.in + k);
#pragma GCC unroll 8
            for (int c = 0; c < width; ++c) sums[r][c] = L::add_product(sums[r][c], x, w[c]);
        }
    };
    int64_t k = 0;
    for (; k + L::count <= task.in; k += L::count)
        step(
            [](const T* p) __attribute__((always_inline)) { return L::load(p); }, k);
    if (const int64_t rest = task.in - k; rest > 0)
        step(
            [rest](const T* p) __attribute__((always_inline)) { return L::load_part(p, rest); }, k);

#pragma GCC unroll 8
    for (int g = 0; g < groups; ++g) {
        const int64_t count = columns - 4 * g;
        if (count <= 0) return;
        const auto mask = static_cast<__mmask8>((1U << (count < 4 ? count : 4)) - 1U);
        const int64_t at = column + 4 * g;
        const __m128 bias =
            task.bias == nullptr ? _mm_setzero_ps() : L::load_four(task.bias + at, mask);
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
            const __m512* s = sums[r] + 4 * g;
            const __m128 total = _mm_add_ps(sum_across(s[0], s[1], s[2], s[3]), bias);
            const int64_t place = (row + r) * task.out + at;
            if (task.wide != nullptr)
                _mm_mask_storeu_ps(task.wide + place, mask, total);
            else
                L::store_four(task.output + place, mask, total);
        }
    }
}

template <typename T, int rows, int groups>
void multiply_rows(const MatrixTask<T>& task, int64_t row) {
    constexpr int64_t width = 4 * groups;
    for (int64_t column = task.first; column < task.last; column += width)
        multiply_tile<T, rows, groups, 4>(task, row, column,
                                          task.last - column < width ? task.last - column : width);
}

/// Few rows: the weights are read once, and eight at a time, which keeps more loads in flight.
template <typename T>
void multiply_few(const MatrixTask<T>& task) {
    if (task.rows == 1) multiply_rows<T, 1, 2>(task, 0);
    if (task.rows == 2) multiply_rows<T, 2, 2>(task, 0);
    if (task.rows == 3) multiply_rows<T, 3, 2>(task, 0);
}

template <typename T>
void multiply_any(const MatrixTask<T>& task) {
    if (task.rows <= 3) return multiply_few(task);
    // A block of rows stays in the second-level cache while the weights pass by once.
    constexpr int64_t block_bytes = 384 << 10;
    constexpr int64_t tile = 6;
    int64_t block = block_bytes / (task.in * static_cast<int64_t>(sizeof(T))) / tile * tile;
    block = block < tile ? tile : block;
    for (int64_t first = 0; first < task.rows; first += block) {
        const int64_t last = task.rows - first < block ? task.rows : first + block;
        for (int64_t column = task.first; column < task.last; column += 4) {
            const int64_t columns = task.last - column < 4 ? task.last - column : 4;
            int64_t row = first;
            // The odd rows go first, since they fetch the next columns' weights.
            switch ((last - first) % tile) {
                case 1:
                    multiply_tile<T, 1, 1, 2>(task, row, column, columns);
                    break;
                case 2:
                    multiply_tile<T, 2, 1, 2>(task, row, column, columns);
                    break;
                case 3:
                    multiply_tile<T, 3, 1, 2>(task, row, column, columns);
                    break;
                case 4:
                    multiply_tile<T, 4, 1, 2>(task, row, column, columns);
                    break;
                case 5:
                    multiply_tile<T, 5, 1, 2>(task, row, column, columns);
                    break;
                default:
                    break;
            }
            row += (last - first) % tile;
            for (; row < last; row += tile) multiply_tile<T, 6, 1, 0>(task, row, column, columns);
        }
    }
}

}  // namespace

namespace avx512_kernels {
void multiply(const MatrixTask<float>& task);
void multiply(const MatrixTask<Bf16>& task);
void multiply(const MatrixTask<float>& task) { multiply_any(task); }
void multiply(const MatrixTask<Bf16>& task) { multiply_any(task); }
}  // namespace avx512_kernels

}  // namespace galapagos
