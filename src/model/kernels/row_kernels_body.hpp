// The kernels of row_kernels.hpp, compiled once per instruction set: each including file sets its
// own compiler flags and GALAPAGOS_KERNEL_SET. Everything here has internal linkage and calls no
// inline function of another header but those of functions.hpp, which have it too, so that no code
// for a newer processor leaks out. Loops are written over fixed lanes, which compilers turn into
// vectors of any width and which fix the order of summation. (Short ones must not be unrolled for
// that: GCC would make scalars of them.)

#include <cstdint>
#include <limits>

#include "model/kernels/functions.hpp"
#include "model/kernels/row_kernels.hpp"

namespace galapagos {
namespace {

constexpr int64_t lanes = 16;

inline float load(float value) { return value; }
inline float load(Bf16 value) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(value) << 16);
}

inline void store(float& target, float value) { target = value; }
inline void store(Bf16& target, float value) {
    const auto bits = __builtin_bit_cast(uint32_t, value);
    const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    target = static_cast<Bf16>(value != value ? 0x7fc0U : rounded);
}

/// The value of type T nearest to `value`, as float.
template <typename T>
inline float rounded(float value) {
    T narrow;
    store(narrow, value);
    return load(narrow);
}

typedef float Eight __attribute__((vector_size(32)));
typedef float Four __attribute__((vector_size(16)));
typedef float AnyEight __attribute__((vector_size(32), aligned(4), may_alias));

/// Folds the upper half of the lanes onto the lower one until one is left. (GCC would take such
/// loops apart.)
template <typename Fold>
inline float fold_lanes(const float* values, const Fold& fold) {
    const Eight low = *reinterpret_cast<const AnyEight*>(values);
    const Eight high = *reinterpret_cast<const AnyEight*>(values + 8);
    Eight eight;
    fold(low, high, eight);
    Four four;
    fold(__builtin_shufflevector(eight, eight, 0, 1, 2, 3),
         __builtin_shufflevector(eight, eight, 4, 5, 6, 7), four);
    fold(four, __builtin_shufflevector(four, four, 2, 3, 2, 3), four);
    fold(four, __builtin_shufflevector(four, four, 1, 0, 1, 0), four);
    return four[0];
}

inline float sum_lanes(const float* partial) {
    return fold_lanes(
        partial, [](const auto& a, const auto& b, auto& sum)
                     __attribute__((always_inline)) { sum = a + b; });
}

inline float largest_lane(const float* values) {
    return fold_lanes(
        values, [](const auto& a, const auto& b, auto& larger)
                    __attribute__((always_inline)) { larger = a > b ? a : b; });
}

template <typename T>
inline float sum_of(const T* data, int64_t width, float shift, bool squared) {
    float partial[lanes] = {};
    int64_t i = 0;
    const auto term = [&](int64_t index) {
        const float x = load(data[index]) - shift;
        return squared ? x * x : x;
    };
    for (; i + lanes <= width; i += lanes)
        for (int64_t l = 0; l < lanes; ++l) partial[l] += term(i + l);
    for (int64_t l = 0; i < width; ++i, ++l) partial[l] += term(i);
    return sum_lanes(partial);
}

template <typename T>
void add_norm(T* residual, const T* delta, const Norm<T>& norm, T* normed, int64_t width) {
    if (delta != nullptr)
        for (int64_t i = 0; i < width; ++i) store(residual[i], load(residual[i]) + load(delta[i]));
    const auto count = static_cast<float>(width);
    const T* weight = norm.weight;
    const float mean =
        norm.kind == NormKind::layer ? sum_of(residual, width, 0.0F, false) / count : 0.0F;
    const float square = sum_of(residual, width, mean, true) / count;
    const float scale = 1.0F / __builtin_sqrtf(square + norm.epsilon);
    switch (norm.kind) {
        case NormKind::rms:
            for (int64_t i = 0; i < width; ++i)
                store(normed[i], load(weight[i]) * rounded<T>(load(residual[i]) * scale));
            return;
        case NormKind::rms_plus_one:
            for (int64_t i = 0; i < width; ++i)
                store(normed[i], (load(residual[i]) * scale) * (1.0F + load(weight[i])));
            return;
        case NormKind::layer:
            for (int64_t i = 0; i < width; ++i)
                store(normed[i],
                      (load(residual[i]) - mean) * scale * load(weight[i]) + load(norm.bias[i]));
            return;
    }
}

template <typename T>
void rotate(T* data, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float* cosines,
            const float* sines) {
    const int64_t half = rotary_dim / 2;
    for (int64_t head = 0; head < heads; ++head) {
        T* low = data + head * head_dim;
        T* high = low + half;
        for (int64_t d = 0; d < half; ++d) {
            const float a = load(low[d]);
            const float b = load(high[d]);
            store(low[d], rounded<T>(a * cosines[d]) + rounded<T>(-b * sines[d]));
            store(high[d], rounded<T>(b * cosines[d]) + rounded<T>(a * sines[d]));
        }
    }
}

template <float function(float), typename T>
void activate_with(T* gate, const T* up, int64_t width) {
    if (up == nullptr)
        for (int64_t i = 0; i < width; ++i) store(gate[i], function(load(gate[i])));
    else
        for (int64_t i = 0; i < width; ++i)
            store(gate[i], rounded<T>(function(load(gate[i]))) * load(up[i]));
}

template <typename T>
void activate(Activation activation, T* gate, const T* up, int64_t width) {
    switch (activation) {
        case Activation::silu:
            return activate_with<silu>(gate, up, width);
        case Activation::gelu:
            return activate_with<gelu>(gate, up, width);
        case Activation::gelu_tanh:
            return activate_with<gelu_tanh>(gate, up, width);
    }
}

template <typename T>
void soft_cap(T* data, int64_t width, float cap) {
    for (int64_t i = 0; i < width; ++i) {
        const float ratio = rounded<T>(load(data[i]) / cap);
        store(data[i], rounded<T>(hyperbolic_tangent(ratio)) * cap);
    }
}

template <typename T>
void add(const T* a, const T* b, T* output, int64_t width) {
    for (int64_t i = 0; i < width; ++i) store(output[i], load(a[i]) + load(b[i]));
}

template <typename T>
void scale(T* data, int64_t width, float factor) {
    for (int64_t i = 0; i < width; ++i) store(data[i], load(data[i]) * factor);
}

inline void add_scaled(const float* input, float factor, float* sum, int64_t width) {
    for (int64_t i = 0; i < width; ++i) sum[i] += factor * input[i];
}

template <typename T>
void round_sum(const float* sum, const T* bias, T* output, int64_t width) {
    if (bias == nullptr)
        for (int64_t i = 0; i < width; ++i) store(output[i], sum[i]);
    else
        for (int64_t i = 0; i < width; ++i) store(output[i], sum[i] + load(bias[i]));
}

template <typename T>
void widen(const T* input, float* output, int64_t width) {
    for (int64_t i = 0; i < width; ++i) output[i] = load(input[i]);
}

inline float dot(const float* a, const float* b, int64_t width) {
    float partial[lanes] = {};
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes)
        for (int64_t l = 0; l < lanes; ++l) partial[l] += a[i + l] * b[i + l];
    for (int64_t l = 0; i < width; ++i, ++l) partial[l] += a[i] * b[i];
    return sum_lanes(partial);
}

/// The largest value, or NaN if there is one.
template <typename T>
float maximum_of(const T* values, int64_t count) {
    float best[lanes];
    uint32_t unordered[lanes];
    for (int64_t l = 0; l < lanes; ++l) {
        best[l] = -std::numeric_limits<float>::infinity();
        unordered[l] = 0;
    }
    const auto take = [&](int64_t lane, float x) {
        best[lane] = x > best[lane] ? x : best[lane];
        unordered[lane] |= x != x ? 1U : 0U;
    };
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
#pragma GCC unroll 1
        for (int64_t l = 0; l < lanes; ++l) take(l, load(values[i + l]));
    for (int64_t l = 0; i < count; ++i, ++l) take(l, load(values[i]));
    uint32_t any = 0;
    for (int64_t l = 0; l < lanes; ++l) any |= unordered[l];
    return any != 0 ? std::numeric_limits<float>::quiet_NaN() : largest_lane(best);
}

/// Turns scores into exp(score - max) and returns their sum.
inline float exponentiate(float* scores, int64_t length) {
    const float maximum = maximum_of(scores, length);
    for (int64_t j = 0; j < length; ++j) scores[j] = exponential(scores[j] - maximum);
    float partial[lanes] = {};
    int64_t j = 0;
    for (; j + lanes <= length; j += lanes)
        for (int64_t l = 0; l < lanes; ++l) partial[l] += scores[j + l];
    for (int64_t l = 0; j < length; ++j, ++l) partial[l] += scores[j];
    return sum_lanes(partial);
}

inline void cap_scores(float* scores, int64_t count, float cap) {
    for (int64_t i = 0; i < count; ++i) scores[i] = cap * hyperbolic_tangent(scores[i] / cap);
}

template <typename T>
float weigh(const ScoreRow& row, T* weights) {
    float* seen = row.scores + row.first;
    const int64_t count = row.last - row.first;
    for (int64_t i = 0; i < count; ++i) seen[i] *= row.scale;
    if (row.softcap != 0.0F) cap_scores(seen, count, row.softcap);
    const float sum = exponentiate(seen, count);
    for (int64_t i = 0; i < row.first; ++i) store(weights[i], 0.0F);
    for (int64_t i = 0; i < count; ++i) store(weights[row.first + i], seen[i]);
    for (int64_t i = row.last; i < row.length; ++i) store(weights[i], 0.0F);
    return sum;
}

template <typename T>
void divide(const float* sum, float divisor, T* output, int64_t width) {
    for (int64_t i = 0; i < width; ++i) store(output[i], sum[i] / divisor);
}

template <typename T>
void attend(const T* queries, const T* keys, const T* values, T* output, float* scratch,
            const AttentionShape& shape) {
    const int64_t width = shape.head_dim;
    const int64_t total = shape.group * width;
    float* scores = scratch;
    float* wide_queries = scores + shape.group * shape.length;
    float* sums = wide_queries + total;
    for (int64_t i = 0; i < total; ++i) wide_queries[i] = load(queries[i]) * shape.scale;
    float row[512];
    for (int64_t j = 0; j < shape.length; ++j) {
        widen(keys + j * width, row, width);
        for (int64_t g = 0; g < shape.group; ++g)
            scores[g * shape.length + j] = dot(wide_queries + g * width, row, width);
    }
    if (shape.softcap != 0.0F) cap_scores(scores, shape.group * shape.length, shape.softcap);
    float normalisers[256];
    for (int64_t g = 0; g < shape.group; ++g)
        normalisers[g] = exponentiate(scores + g * shape.length, shape.length);
    for (int64_t i = 0; i < total; ++i) sums[i] = 0.0F;
    for (int64_t j = 0; j < shape.length; ++j) {
        widen(values + j * width, row, width);
        for (int64_t g = 0; g < shape.group; ++g) {
            const float p = scores[g * shape.length + j];
            float* sum = sums + g * width;
            for (int64_t d = 0; d < width; ++d) sum[d] += p * row[d];
        }
    }
    for (int64_t g = 0; g < shape.group; ++g)
        divide(sums + g * width, normalisers[g], output + g * width, width);
}

/// The lowest index of a value that is among them.
template <typename T>
int64_t index_of(float value, const T* values, int64_t count) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        uint32_t equal = 0;
#pragma GCC unroll 1
        for (int64_t l = 0; l < lanes; ++l) equal |= load(values[i + l]) == value ? 1U : 0U;
        if (equal != 0) break;
    }
    while (i + 1 < count && load(values[i]) != value) ++i;
    return i;
}

template <typename T>
ShardStatistics shard_statistics(const T* logits, int64_t count) {
    const float maximum = maximum_of(logits, count);
    if (maximum != maximum) return {maximum, 0, 0.0F};
    float partial[lanes] = {};
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (int64_t l = 0; l < lanes; ++l)
            partial[l] += exponential(load(logits[i + l]) - maximum);
    for (int64_t l = 0; i < count; ++i, ++l) partial[l] += exponential(load(logits[i]) - maximum);
    return {maximum, static_cast<int32_t>(index_of(maximum, logits, count)), sum_lanes(partial)};
}

template <typename T>
constexpr RowKernels<T> make_kernels(const char* name) {
    return {name,      add_norm<T>, rotate<T>,  activate<T>,        soft_cap<T>,
            add<T>,    scale<T>,    add_scaled, round_sum<T>,       widen<T>,
            attend<T>, weigh<T>,    divide<T>,  shard_statistics<T>};
}

}  // namespace

namespace GALAPAGOS_KERNEL_SET {
extern const RowKernels<float> float_kernels;
extern const RowKernels<Bf16> bf16_kernels;
const RowKernels<float> float_kernels = make_kernels<float>(GALAPAGOS_KERNEL_NAME);
const RowKernels<Bf16> bf16_kernels = make_kernels<Bf16>(GALAPAGOS_KERNEL_NAME);
}  // namespace GALAPAGOS_KERNEL_SET

}  // namespace galapagos
