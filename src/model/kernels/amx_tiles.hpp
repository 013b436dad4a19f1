// Tiles of AMX: how they are configured, how vectors are packed for them, and the transposition
// that both this and the way out take. Included by matrix_kernels_amx.cpp alone.
// Everything here has internal linkage and calls no inline function of another header, so that no
// code for a newer processor leaks out.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "model/kernels/row_kernels.hpp"

namespace galapagos {
namespace {

/// Vectors that a tile holds of an operand.
constexpr int64_t side = 16;
/// Elements of each that it holds.
constexpr int64_t depth = 32;
/// Of two operands a product takes two tiles each at a time, which makes four tiles of sums.
constexpr int64_t pair = 2 * side;
constexpr int64_t tile_elements = side * depth;
constexpr int64_t tile_row_bytes = 64;

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t tiles_for(int64_t count, int64_t size) { return (count + size - 1) / size; }

inline __mmask32 first_of_32(int64_t n) {
    return static_cast<__mmask32>((std::uint64_t{1} << n) - 1U);
}

/// GCC's intrinsics don't say that they read memory: what they read must be written before.
inline void finish_writes() { asm volatile("" ::: "memory"); }

/// This thread's tiles. 0 to 3 hold sums; 4 and 5 vectors of the operand that lies as it is stored;
/// 6 and 7 those of the packed one.
class Tiles {
  public:
    Tiles() = default;
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
    /// A thread that keeps tiles would pay for them whenever it is interrupted.
    ~Tiles() { _tile_release(); }

    /// For `vectors` of the first operand, at most a pair of tiles. Clears the tiles.
    void configure(int64_t vectors) {
        if (vectors == vectors_) return;
        vectors_ = vectors;
        const auto first = static_cast<std::uint8_t>(smaller(vectors, side));
        const auto second = static_cast<std::uint8_t>(vectors > side ? vectors - side : side);
        struct alignas(64) {
            std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
            std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            std::uint8_t rows[16] = {};
        } config;
        const std::uint8_t rows[8] = {first, first, second, second, first, second, 16, 16};
        for (int tile = 0; tile < 8; ++tile) config.rows[tile] = rows[tile];
        finish_writes();
        asm volatile("" ::"m"(config));
        _tile_loadconfig(&config);
    }

  private:
    int64_t vectors_ = 0;
};

/// Calls put(c, column c of 16 rows of 16 words), which begin `stride` bytes apart.
template <typename Put>
inline void transpose(const void* rows, int64_t stride, const Put& put) {
    const char* first = static_cast<const char*>(rows);
    const auto quarter = [&](int64_t row, int64_t part) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(first + row * stride + part * 16));
    };
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) {
        // Of rows i, i + 4, i + 8 and i + 12 the words 4 part ... 4 part + 3.
        __m512i four[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            four[i] = _mm512_castsi128_si512(quarter(i, part));
            four[i] = _mm512_inserti32x4(four[i], quarter(i + 4, part), 1);
            four[i] = _mm512_inserti32x4(four[i], quarter(i + 8, part), 2);
            four[i] = _mm512_inserti32x4(four[i], quarter(i + 12, part), 3);
        }
        const __m512i low01 = _mm512_unpacklo_epi32(four[0], four[1]);
        const __m512i high01 = _mm512_unpackhi_epi32(four[0], four[1]);
        const __m512i low23 = _mm512_unpacklo_epi32(four[2], four[3]);
        const __m512i high23 = _mm512_unpackhi_epi32(four[2], four[3]);
        put(4 * part, _mm512_unpacklo_epi64(low01, low23));
        put(4 * part + 1, _mm512_unpackhi_epi64(low01, low23));
        put(4 * part + 2, _mm512_unpacklo_epi64(high01, high23));
        put(4 * part + 3, _mm512_unpackhi_epi64(high01, high23));
    }
}

/// The first `elements` of each of `vectors` vectors of a tile, and zeros.
inline void copy_part(const Bf16* vectors, int64_t count, int64_t in, int64_t elements,
                      Bf16* part) {
    const __mmask32 mask = first_of_32(elements);
    for (int64_t v = 0; v < side; ++v)
        _mm512_store_si512(part + v * depth, v < count
                                                 ? _mm512_maskz_loadu_epi16(mask, vectors + v * in)
                                                 : _mm512_setzero_si512());
}

/// Packs `count` vectors of `in` elements: [16 of them][32 elements][two elements][16 vectors][the
/// two], filled up with zeros. `part` is a tile to work in.
inline void pack(const Bf16* vectors, int64_t count, int64_t in, Bf16* part, Bf16* packed) {
    for (int64_t first = 0; first < count; first += side)
        for (int64_t k = 0; k < in; k += depth, packed += tile_elements) {
            const Bf16* source = vectors + first * in + k;
            int64_t stride = in;
            if (count - first < side || in - k < depth) {
                copy_part(source, count - first, in, smaller(depth, in - k), part);
                source = part;
                stride = depth;
            }
            transpose(source, stride * 2, [packed](int64_t column, __m512i pairs) {
                _mm512_store_si512(packed + column * 2 * side, pairs);
            });
        }
}

/// Packs columns of a matrix whose rows are `stride` elements apart, `count` columns of `in`
/// elements, in the same order.
inline void pack_columns(const Bf16* matrix, int64_t stride, int64_t count, int64_t in,
                         Bf16* packed) {
    const int64_t tile_stride = tiles_for(in, depth) * tile_elements;
    const __m512i halves_by_turns = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    for (int64_t k = 0; k < in; k += depth, packed += tile_elements)
        for (int64_t column = 0; column < count; column += pair) {
            const __mmask32 mask = first_of_32(smaller(pair, count - column));
            Bf16* target = packed + column / side * tile_stride;
            const auto load = [&](int64_t row) __attribute__((always_inline)) {
                if (row >= in) return _mm512_setzero_si512();
                return _mm512_permutexvar_epi64(
                    halves_by_turns,
                    _mm512_maskz_loadu_epi16(mask, matrix + row * stride + column));
            };
            for (int64_t row = k; row < k + depth; row += 2, target += 2 * side) {
                const __m512i even = load(row), odd = load(row + 1);
                _mm512_store_si512(target, _mm512_unpacklo_epi16(even, odd));
                if (count - column > side)
                    _mm512_store_si512(target + tile_stride, _mm512_unpackhi_epi16(even, odd));
            }
        }
}

}  // namespace
}  // namespace galapagos
