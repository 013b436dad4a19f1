// Products of bf16 on AMX. Its instruction takes a tile of 16 vectors as
// they are stored and a packed one of 16 others, and adds to their 256 sums, in one order whichever
// operand is which. So the operand that has fewer vectors is packed: the input (the sums are then
// transposed on the way out), or the weights, a block at a time. Sums go out while the next are
// made. The instruction takes operands and sums below 1.2e-38 for zero.
#include "model/kernels/amx_tiles.hpp"
#include "model/kernels/matrix_kernels.hpp"
#include "model/kernels/scratch.hpp"

namespace galapagos {
namespace {

/// Packed vectors that stay in the second-level cache.
constexpr int64_t block_bytes = 1 << 20;

/// Memory of a product.
struct Workplace {
    Bf16* packed;
    Bf16* tail;   ///< the last elements of a pair of tiles, where they don't fill them
    float* sums;  ///< [2][pair, pair]: of the tiles at hand, and of those before
};

/// Fetches the next weights from memory, a few cache lines a step.
class Ahead {
  public:
    Ahead() = default;
    /// Weights [out, in] of columns [first, last), in `steps` steps.
    Ahead(const MatrixTask<Bf16>& task, int64_t first, int64_t last, int64_t steps)
        : next_(reinterpret_cast<const char*>(task.weight + first * task.in)),
          end_(reinterpret_cast<const char*>(task.weight + last * task.in)),
          share_((tiles_for(end_ - next_, steps) + 63) / 64 * 64) {}

    void step() {
        const char* stop = end_ - next_ < share_ ? end_ : next_ + share_;
        for (; next_ < stop; next_ += 64) _mm_prefetch(next_, _MM_HINT_T1);
    }

  private:
    const char* next_ = nullptr;
    const char* end_ = nullptr;
    int64_t share_ = 0;
};

inline __m512 widened(__m256i values) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
}

/// A part of the output, at most a pair of tiles both ways.
struct Area {
    int64_t row, rows;
    int64_t column, columns;
};

/// Brings sums to the output, a few rows a step, while the next ones are made.
class Output {
  public:
    /// `turned`: the sums' rows are columns of the output.
    Output(const MatrixTask<Bf16>& task, bool turned, int64_t steps)
        : task_(task), turned_(turned), share_(tiles_for(pair, steps)) {}

    void start(const Area& area, const float* sums) {
        area_ = area;
        sums_ = sums;
        done_ = 0;
        mask_ = first_of_32(area.columns);
        if (task_.bias == nullptr) return;
        const __m512i bias = _mm512_maskz_loadu_epi16(mask_, task_.bias + area.column);
        low_bias_ = widened(_mm512_castsi512_si256(bias));
        high_bias_ = widened(_mm512_extracti64x4_epi64(bias, 1));
    }

    void step() { write(smaller(area_.rows, done_ + share_)); }
    void finish() { write(area_.rows); }

  private:
    void write(int64_t end) {
        for (; done_ < end; ++done_) {
            if (turned_ && done_ % side == 0) turn();
            write_row(area_.row + done_,
                      turned_ ? turned_sums_ + done_ % side * pair : sums_ + done_ * pair);
        }
    }

    void turn() {
        for (int64_t half = 0; half < pair; half += side) {
            float* target = turned_sums_ + half;
            transpose(
                sums_ + half * pair + done_, pair * sizeof(float),
                [target](int64_t row, __m512i sums) __attribute__((always_inline)) {
                    _mm512_store_si512(target + row * pair, sums);
                });
        }
    }

    void write_row(int64_t row, const float* sums) const {
        const __m512 low = _mm512_add_ps(_mm512_load_ps(sums), low_bias_);
        const __m512 high = _mm512_add_ps(_mm512_load_ps(sums + side), high_bias_);
        const int64_t place = row * task_.out + area_.column;
        if (task_.wide != nullptr) {
            _mm512_mask_storeu_ps(task_.wide + place, static_cast<__mmask16>(mask_), low);
            _mm512_mask_storeu_ps(task_.wide + place + side, static_cast<__mmask16>(mask_ >> side),
                                  high);
        } else {
            _mm512_mask_storeu_epi16(task_.output + place, mask_,
                                     reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
        }
    }

    const MatrixTask<Bf16>& task_;
    bool turned_;
    int64_t share_;
    Area area_{};
    const float* sums_ = nullptr;
    int64_t done_ = 0;
    __mmask32 mask_ = 0;
    __m512 low_bias_ = _mm512_setzero_ps();
    __m512 high_bias_ = _mm512_setzero_ps();
    alignas(64) float turned_sums_[side * pair];
};

/// At most a pair of tiles of vectors as they are stored.
struct Stored {
    const Bf16* vectors;
    int64_t in;
    const Bf16* tail;  ///< [pair, depth]
};

/// Sums of one or two tiles' vectors of each operand. The packed ones stream past the stored ones,
/// which stay in the first-level cache; or, where there are no more packed ones, these stay.
template <bool two_stored, bool two_packed, bool packed_stay>
void sum_tiles(const Stored& stored, const Bf16* packed, Ahead& ahead, Output& output,
               float* sums) {
    const int64_t steps = tiles_for(stored.in, depth);
    const auto add = [&](const Bf16* vectors, int64_t stride) __attribute__((always_inline)) {
        const Bf16* second_vectors = vectors + side * stride;
        const Bf16* second_packed = packed + steps * tile_elements;
        if constexpr (packed_stay) {
            _tile_stream_loadd(4, vectors, 2 * stride);
            if constexpr (two_stored) _tile_stream_loadd(5, second_vectors, 2 * stride);
            _tile_loadd(6, packed, tile_row_bytes);
            if constexpr (two_packed) _tile_loadd(7, second_packed, tile_row_bytes);
        } else {
            _tile_loadd(4, vectors, 2 * stride);
            if constexpr (two_stored) _tile_loadd(5, second_vectors, 2 * stride);
            _tile_stream_loadd(6, packed, tile_row_bytes);
            if constexpr (two_packed) _tile_stream_loadd(7, second_packed, tile_row_bytes);
        }
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (two_packed) _tile_dpbf16ps(1, 4, 7);
        if constexpr (two_stored) _tile_dpbf16ps(2, 5, 6);
        if constexpr (two_stored && two_packed) _tile_dpbf16ps(3, 5, 7);
        packed += tile_elements;
        ahead.step();
        output.step();
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

template <bool packed_stay>
auto sum_of(bool two_stored, bool two_packed) {
    if (two_stored)
        return two_packed ? sum_tiles<true, true, packed_stay>
                          : sum_tiles<true, false, packed_stay>;
    return two_packed ? sum_tiles<false, true, packed_stay> : sum_tiles<false, false, packed_stay>;
}

/// Columns of the output that are computed together.
struct Columns {
    int64_t first, last;
};

/// One operand is packed for them: `turned`, the input.
void multiply_columns(const MatrixTask<Bf16>& task, const Columns& columns, bool turned,
                      const Workplace& place, Tiles& tiles, Ahead ahead) {
    const int64_t width = columns.last - columns.first;
    const int64_t stored_count = turned ? width : task.rows;
    const int64_t packed_count = turned ? task.rows : width;
    const Bf16* vectors = turned ? task.weight + columns.first * task.in : task.input;
    const int64_t steps = tiles_for(task.in, depth);
    Output output(task, turned, steps);
    int64_t turn = 0;
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
            float* sums = place.sums + turn++ % 2 * pair * pair;
            const auto sum =
                (packed_count > pair ? sum_of<false> : sum_of<true>)(stored_here > side,
                                                                     packed_here > side);
            sum(stored, packed, ahead, output, sums);
            output.finish();
            output.start(turned ? Area{p, packed_here, columns.first + s, stored_here}
                                : Area{s, stored_here, columns.first + p, packed_here},
                         sums);
        }
    }
    output.finish();
}

/// Packed columns that stay in the second-level cache.
int64_t block_columns(const MatrixTask<Bf16>& task) {
    const int64_t fitting = block_bytes / (task.in * 2) / pair * pair;
    return smaller(fitting < pair ? pair : fitting, task.last - task.first);
}

/// What a product packs at a time.
struct Plan {
    bool input_packed;
    int64_t block;  ///< columns computed together
};

/// A packed vector costs its share of the products with all vectors of the other operand.
Plan plan(const MatrixTask<Bf16>& task) {
    const int64_t columns = task.last - task.first;
    if (task.rows <= columns && task.rows * task.in * 2 <= block_bytes) return {true, pair};
    return {false, block_columns(task)};
}

Workplace workplace(int64_t vectors, int64_t in) {
    const int64_t packed_floats =
        tiles_for(vectors, side) * tiles_for(in, depth) * tile_elements / 2;
    constexpr int64_t tail_floats = pair * depth / 2;
    float* memory = scratch.floats(packed_floats + tail_floats + 2 * pair * pair);
    auto* packed = reinterpret_cast<Bf16*>(memory);
    return {packed, packed + 2 * packed_floats, memory + packed_floats + tail_floats};
}

/// One tile's work is so short that loads run far ahead by themselves.
Ahead ahead_of(const MatrixTask<Bf16>& task, const Columns& columns) {
    if (task.rows <= side) return {};
    const int64_t width = columns.last - columns.first;
    return {task, columns.last, smaller(task.last, columns.last + width),
            tiles_for(width, pair) * tiles_for(task.rows, pair) * tiles_for(task.in, depth)};
}

}  // namespace

namespace amx_kernels {

void multiply(const MatrixTask<Bf16>& task);
void multiply_transposed(const MatrixTask<Bf16>& task);

void multiply(const MatrixTask<Bf16>& task) {
    const auto [input_packed, block] = plan(task);
    const Workplace place = workplace(input_packed ? task.rows : block, task.in);
    Tiles tiles;
    if (input_packed) pack(task.input, task.rows, task.in, place.tail, place.packed);
    for (int64_t first = task.first; first < task.last; first += block) {
        const Columns columns{first, smaller(task.last, first + block)};
        if (!input_packed)
            pack(task.weight + first * task.in, columns.last - first, task.in, place.tail,
                 place.packed);
        finish_writes();
        multiply_columns(task, columns, input_packed, place, tiles, ahead_of(task, columns));
    }
}

void multiply_transposed(const MatrixTask<Bf16>& task) {
    const int64_t block = block_columns(task);
    const Workplace place = workplace(block, task.in);
    Tiles tiles;
    for (int64_t first = task.first; first < task.last; first += block) {
        const Columns columns{first, smaller(task.last, first + block)};
        pack_columns(task.weight + first, task.out, columns.last - first, task.in, place.packed);
        finish_writes();
        multiply_columns(task, columns, false, place, tiles, {});
    }
}

}  // namespace amx_kernels

}  // namespace galapagos
