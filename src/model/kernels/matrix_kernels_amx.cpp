// Products of bf16 with weights [out, in] on AMX. Its instruction takes a tile of 16 vectors as
// they are stored and a packed one of 16 others, and adds to their 256 sums, in one order whichever
// operand is which. So the operand that costs less is packed: the input where its rows are few
// (the sums are then transposed on the way out), else the weights, a block at a time.
// The instruction takes operands and sums below 1.2e-38 for zero.
#include "model/kernels/amx_tiles.hpp"
#include "model/kernels/matrix_kernels.hpp"
#include "model/kernels/scratch.hpp"

namespace galapagos {
namespace {

/// Packed vectors that stay in the second-level cache.
constexpr int64_t block_bytes = 512 << 10;

/// Memory of a product.
struct Workplace {
    Bf16* packed;
    Bf16* tail;   ///< the last elements of a pair of tiles, where they don't fill them
    float* sums;  ///< [pair, pair]
};

/// Fetches the next weights from memory, a few cache lines a step.
class Ahead {
  public:
    /// Weights of columns [first, last), in `steps` steps.
    Ahead(const MatrixTask<Bf16>& task, int64_t first, int64_t last, int64_t steps)
        : next_(reinterpret_cast<const char*>(task.weight + first * task.in)),
          end_(reinterpret_cast<const char*>(task.weight + last * task.in)),
          share_((tiles_for(end_ - next_, steps) + 63) / 64 * 64) {}

    void fetch() {
        const char* stop = end_ - next_ < share_ ? end_ : next_ + share_;
        for (; next_ < stop; next_ += 64) _mm_prefetch(next_, _MM_HINT_T0);
    }

  private:
    const char* next_;
    const char* end_;
    int64_t share_;
};

/// At most a pair of tiles of vectors as they are stored.
struct Stored {
    const Bf16* vectors;
    int64_t in;
    const Bf16* tail;  ///< [pair, depth]
};

/// Sums of one or two tiles' vectors of each operand.
template <bool two_stored, bool two_packed>
void sum_tiles(const Stored& stored, const Bf16* packed, Ahead& ahead, float* sums) {
    const int64_t steps = tiles_for(stored.in, depth);
    const auto add = [&](const Bf16* vectors, int64_t stride) __attribute__((always_inline)) {
        _tile_loadd(4, vectors, 2 * stride);
        _tile_loadd(6, packed, tile_row_bytes);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (two_packed) {
            _tile_loadd(7, packed + steps * tile_elements, tile_row_bytes);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (two_stored) {
            _tile_loadd(5, vectors + side * stride, 2 * stride);
            _tile_dpbf16ps(2, 5, 6);
            if constexpr (two_packed) _tile_dpbf16ps(3, 5, 7);
        }
        packed += tile_elements;
        ahead.fetch();
    };
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    int64_t k = 0;
    for (; k + depth <= stored.in; k += depth) add(stored.vectors + k, stored.in);
    if (k < stored.in) add(stored.tail, depth);
    constexpr int64_t stride = pair * sizeof(float);
    _tile_stored(0, sums, stride);
    if constexpr (two_packed) _tile_stored(1, sums + side, stride);
    if constexpr (two_stored) _tile_stored(2, sums + side * pair, stride);
    if constexpr (two_stored && two_packed) _tile_stored(3, sums + side * pair + side, stride);
}

inline __m512 widened(__m256i values) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
}

/// Where sums of up to a pair of tiles' columns go.
class Finish {
  public:
    Finish(const MatrixTask<Bf16>& task, int64_t column, int64_t columns)
        : task_(task),
          column_(column),
          mask_(static_cast<__mmask32>((std::uint64_t{1} << columns) - 1U)) {
        if (task.bias == nullptr) return;
        const __m512i bias = _mm512_maskz_loadu_epi16(mask_, task.bias + column);
        low_bias_ = widened(_mm512_castsi512_si256(bias));
        high_bias_ = widened(_mm512_extracti64x4_epi64(bias, 1));
    }

    void put(int64_t row, const float* sums) const {
        const __m512 low = _mm512_add_ps(_mm512_load_ps(sums), low_bias_);
        const __m512 high = _mm512_add_ps(_mm512_load_ps(sums + side), high_bias_);
        const int64_t place = row * task_.out + column_;
        if (task_.wide != nullptr) {
            _mm512_mask_storeu_ps(task_.wide + place, static_cast<__mmask16>(mask_), low);
            _mm512_mask_storeu_ps(task_.wide + place + side, static_cast<__mmask16>(mask_ >> side),
                                  high);
        } else {
            _mm512_mask_storeu_epi16(task_.output + place, mask_,
                                     reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
        }
    }

  private:
    const MatrixTask<Bf16>& task_;
    int64_t column_;
    __mmask32 mask_;
    __m512 low_bias_ = _mm512_setzero_ps();
    __m512 high_bias_ = _mm512_setzero_ps();
};

/// Sums whose rows are input rows.
void store_rows(const Finish& finish, int64_t row, int64_t rows, const float* sums) {
    for (int64_t r = 0; r < rows; ++r) finish.put(row + r, sums + r * pair);
}

/// Sums whose rows are columns of the output.
void store_turned(const Finish& finish, int64_t row, int64_t rows, const float* sums) {
    alignas(64) float turned[side * pair];
    for (int64_t first = 0; first < rows; first += side) {
        for (int64_t half = 0; half < pair; half += side)
            transpose(
                sums + half * pair + first, pair * sizeof(float),
                [&](int64_t r, __m512i column) __attribute__((always_inline)) {
                    _mm512_store_si512(turned + r * pair + half, column);
                });
        store_rows(finish, row + first, smaller(side, rows - first), turned);
    }
}

/// Columns of the output that are computed together, and which operand is packed for them.
struct Columns {
    int64_t first, last;
    bool input_packed;
};

void multiply_columns(const MatrixTask<Bf16>& task, const Columns& columns, const Workplace& place,
                      Tiles& tiles) {
    const int64_t width = columns.last - columns.first;
    const bool turned = columns.input_packed;
    const int64_t stored_count = turned ? width : task.rows;
    const int64_t packed_count = turned ? task.rows : width;
    const Bf16* vectors = turned ? task.weight + columns.first * task.in : task.input;
    const int64_t steps = tiles_for(task.in, depth);
    Ahead ahead(task, columns.last, smaller(task.last, columns.last + width),
                tiles_for(stored_count, pair) * tiles_for(packed_count, pair) * steps);
    for (int64_t s = 0; s < stored_count; s += pair) {
        const int64_t stored_here = smaller(pair, stored_count - s);
        const Stored stored{vectors + s * task.in, task.in, place.tail};
        if (const int64_t rest = task.in % depth; rest > 0)
            for (int64_t v = 0; v < stored_here; v += side)
                copy_part(stored.vectors + v * task.in + task.in - rest, stored_here - v, task.in,
                          rest, place.tail + v * depth);
        tiles.configure(stored_here);
        for (int64_t p = 0; p < packed_count; p += pair) {
            const int64_t packed_here = smaller(pair, packed_count - p);
            const Bf16* packed = place.packed + p / side * steps * tile_elements;
            if (stored_here > side)
                packed_here > side ? sum_tiles<true, true>(stored, packed, ahead, place.sums)
                                   : sum_tiles<true, false>(stored, packed, ahead, place.sums);
            else
                packed_here > side ? sum_tiles<false, true>(stored, packed, ahead, place.sums)
                                   : sum_tiles<false, false>(stored, packed, ahead, place.sums);
            if (turned)
                store_turned(Finish(task, columns.first + s, stored_here), p, packed_here,
                             place.sums);
            else
                store_rows(Finish(task, columns.first + p, packed_here), s, stored_here,
                           place.sums);
        }
    }
}

/// Packing a tile or transposing one of sums costs about the same: the one takes a share of
/// 1 / columns (input) or 1 / rows (weights), the other one of 2 / in.
bool input_is_packed(const MatrixTask<Bf16>& task, int64_t columns) {
    return task.rows * task.in * 2 <= block_bytes &&
           task.rows * (task.in + 2 * columns) < columns * task.in;
}

}  // namespace

namespace amx_kernels {

void multiply(const MatrixTask<Bf16>& task);
void multiply(const MatrixTask<Bf16>& task) {
    const int64_t width = task.last - task.first;
    const bool input_packed = input_is_packed(task, width);
    const int64_t fitting = block_bytes / (task.in * 2) / pair * pair;
    const int64_t block = input_packed || fitting < pair ? pair : smaller(fitting, width);
    const int64_t packed_floats = tiles_for(input_packed ? task.rows : block, side) *
                                  tiles_for(task.in, depth) * tile_elements / 2;
    constexpr int64_t tail_floats = pair * depth / 2;
    float* memory = scratch.floats(packed_floats + tail_floats + pair * pair);
    auto* packed = reinterpret_cast<Bf16*>(memory);
    const Workplace place{packed, packed + 2 * packed_floats, memory + packed_floats + tail_floats};
    Tiles tiles;
    if (input_packed) pack(task.input, task.rows, task.in, place.tail, packed);
    for (int64_t first = task.first; first < task.last; first += block) {
        const int64_t last = smaller(task.last, first + block);
        if (!input_packed)
            pack(task.weight + first * task.in, last - first, task.in, place.tail, packed);
        finish_writes();
        multiply_columns(task, {first, last, input_packed}, place, tiles);
    }
}

}  // namespace amx_kernels

}  // namespace galapagos
