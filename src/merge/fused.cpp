#include "merge/fused.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "merge/element_vectors.hpp"
#include "merge/random_mask.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

/// Which elements of a task vector count.
enum class Kept { all, largest, band, random };

/// One source of the elements at hand, with its numbers as vectors.
struct Stream {
    Stream(const std::byte* elements, float factor, float weight) : data(elements) {
        std::fill_n(gain, wide, factor);
        std::fill_n(vote, wide, weight);
        set_bounds(-1, largest_key);
    }
    void set_bounds(std::int32_t lower, std::int32_t upper) {
        std::fill_n(above, wide, lower);
        std::fill_n(most, wide, upper);
    }

    const std::byte* data;
    alignas(32) float gain[wide];
    float vote[wide];
    /// Largest and band: kept if the bit pattern of |delta| is larger than `above`,
    std::int32_t above[wide];
    /// and, in a band, not larger than `most`.
    std::int32_t most[wide];
    /// Random: kept if the element's word is below `keep_below`.
    const RandomWord* random = nullptr;
    RandomWord keep_below[2 * wide] = {};
};

struct Streams {
    const std::byte* base = nullptr;
    const Stream* begin = nullptr;
    const Stream* end = nullptr;
    float factor = 1;
};

template <class Vector, typename T>
GALAPAGOS_INLINE void read(const T* numbers, Vector& values) {
    std::memcpy(&values, numbers, sizeof values);
}

/// As `load`, with the base's elements in place of those that are dropped at random: their delta is
/// zero. Sixteen bf16 elements are chosen at once, before they are floats.
template <DType dtype, int lanes, int half>
GALAPAGOS_INLINE void load_random(const Stream& stream, const std::byte* base_data, std::int64_t at,
                                  const typename Vectors<lanes>::Floats& base,
                                  typename Vectors<lanes>::Floats& value) {
    if constexpr (dtype == DType::bf16 && lanes == wide) {
        typedef std::uint16_t Halves __attribute__((vector_size(4 * wide)));
        Halves source, dropped, words, limit;
        std::memcpy(&source, stream.data + 2 * at, sizeof source);
        std::memcpy(&dropped, base_data + 2 * at, sizeof dropped);
        std::memcpy(&words, stream.random + at, sizeof words);
        std::memcpy(&limit, stream.keep_below, sizeof limit);
        source = words < limit ? source : dropped;
        load<dtype, lanes, half>(reinterpret_cast<const std::byte*>(&source), 0, value);
    } else {
        typedef RandomWord Halves __attribute__((vector_size(sizeof(RandomWord) * lanes)));
        Halves words, limit;
        std::memcpy(&words, stream.random + at + half * lanes, sizeof words);
        std::memcpy(&limit, stream.keep_below, sizeof limit);
        load<dtype, lanes, half>(stream.data, at, value);
        using Ints = typename Vectors<lanes>::Ints;
        value = __builtin_convertvector(words < limit, Ints) != 0 ? value : base;
    }
}

template <DType dtype>
GALAPAGOS_INLINE void store(const Vectors<wide>::Floats& first, const Vectors<wide>::Floats& second,
                            float* out) {
    Vectors<wide>::Floats low = first, high = second;
    if constexpr (dtype == DType::bf16) {
        low = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
        high = __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);
    }
    std::memcpy(out, &low, sizeof low);
    std::memcpy(out + wide, &high, sizeof high);
}

template <class Kernel, DType dtype>
GALAPAGOS_INLINE void loop(const Streams& streams, std::int64_t begin, std::int64_t end,
                           float* out) {
    std::int64_t at = begin;
    for (; at + 2 * wide <= end; at += 2 * wide) {
        Vectors<wide>::Floats first, second;
        Kernel::template at<dtype, wide, 0>(streams, at, first);
        Kernel::template at<dtype, wide, 1>(streams, at, second);
        store<dtype>(first, second, out + at);
    }
    for (; at < end; ++at) {
        Vectors<1>::Floats single;
        Kernel::template at<dtype, 1, 0>(streams, at, single);
        out[at] = single[0];
    }
}

/// The sum of gain * x: it starts with -0, which changes no first term.
struct Sum {
    template <DType dtype, int lanes, int half>
    static GALAPAGOS_INLINE void at(const Streams& streams, std::int64_t at,
                                    typename Vectors<lanes>::Floats& result) {
        typename Vectors<lanes>::Floats x, gain;
        result = -typename Vectors<lanes>::Floats{};
        for (const Stream* s = streams.begin; s != streams.end; ++s) {
            load<dtype, lanes, half>(s->data, at, x);
            read(s->gain, gain);
            result += gain * x;
        }
    }
    template <DType dtype>
    static GALAPAGOS_INLINE void run(const Streams& streams, std::int64_t begin, std::int64_t end,
                                     float* out) {
        loop<Sum, dtype>(streams, begin, end, out);
    }
};

/// gain * delta, zero where the element is dropped.
template <Kept kind, DType dtype, int lanes, int half>
GALAPAGOS_INLINE void task_value(const Stream& stream, const std::byte* base_data, std::int64_t at,
                                 const typename Vectors<lanes>::Floats& base,
                                 typename Vectors<lanes>::Floats& value) {
    using Floats = typename Vectors<lanes>::Floats;
    using Ints = typename Vectors<lanes>::Ints;
    if constexpr (kind == Kept::random)
        load_random<dtype, lanes, half>(stream, base_data, at, base, value);
    else
        load<dtype, lanes, half>(stream.data, at, value);
    value -= base;
    const Ints bits = reinterpret_cast<Ints>(value);
    Ints bound, kept;
    if constexpr (kind == Kept::largest || kind == Kept::band) {
        read(stream.above, bound);
        kept = (bits & largest_key) > bound;
    }
    if constexpr (kind == Kept::band) {
        read(stream.most, bound);
        kept &= (bits & largest_key) <= bound;
    }
    if constexpr (kind == Kept::largest || kind == Kept::band)
        value = reinterpret_cast<Floats>(bits & kept);
    Floats gain;
    read(stream.gain, gain);
    value = gain * value;
}

template <Kept kind>
struct TaskSum {
    template <DType dtype, int lanes, int half>
    static GALAPAGOS_INLINE void at(const Streams& streams, std::int64_t at,
                                    typename Vectors<lanes>::Floats& result) {
        using Floats = typename Vectors<lanes>::Floats;
        Floats base, value, sum = -Floats{};
        load<dtype, lanes, half>(streams.base, at, base);
        for (const Stream* s = streams.begin; s != streams.end; ++s) {
            task_value<kind, dtype, lanes, half>(*s, streams.base, at, base, value);
            sum += value;
        }
        result = base + streams.factor * sum;
    }
    template <DType dtype>
    static GALAPAGOS_INLINE void run(const Streams& streams, std::int64_t begin, std::int64_t end,
                                     float* out) {
        loop<TaskSum, dtype>(streams, begin, end, out);
    }
};

/// The election of `count` task vectors, whose values stay in registers until the sign is known.
/// Where minus wins, all signs are turned: sums of negative numbers are those of positive ones.
template <bool normalize, Kept kind, int count>
struct Election {
    template <DType dtype, int lanes, int half>
    static GALAPAGOS_INLINE void at(const Streams& streams, std::int64_t at,
                                    typename Vectors<lanes>::Floats& result) {
        using Floats = typename Vectors<lanes>::Floats;
        using Ints = typename Vectors<lanes>::Ints;
        const Floats zero{}, one = zero + 1.0F;
        Floats base, values[count], vote, sum = -zero, total = -zero, votes = -zero;
        load<dtype, lanes, half>(streams.base, at, base);
#pragma GCC unroll 8
        for (int i = 0; i < count; ++i) {
            task_value<kind, dtype, lanes, half>(streams.begin[i], streams.base, at, base,
                                                 values[i]);
            sum += values[i];
        }
        const Ints turn = ~(sum >= zero) & (-largest_key - 1);
#pragma GCC unroll 8
        for (int i = 0; i < count; ++i) {
            const Floats value = reinterpret_cast<Floats>(reinterpret_cast<Ints>(values[i]) ^ turn);
            total += value > zero ? value : zero;
            if constexpr (normalize) {
                read(streams.begin[i].vote, vote);
                votes += value > zero ? vote : zero;
            }
        }
        if constexpr (normalize) total /= votes == zero ? one : votes;
        total = reinterpret_cast<Floats>(reinterpret_cast<Ints>(total) ^ turn);
        // A NaN is in no total of one sign: it must not vanish here.
        total = sum == sum ? total : sum;
        result = base + streams.factor * total;
    }
};

constexpr int most_elected = 4;

template <bool normalize, Kept kind>
struct Elections {
    template <DType dtype>
    static GALAPAGOS_INLINE void run(const Streams& streams, std::int64_t begin, std::int64_t end,
                                     float* out) {
        switch (streams.end - streams.begin) {
            case 1:
                return loop<Election<normalize, kind, 1>, dtype>(streams, begin, end, out);
            case 2:
                return loop<Election<normalize, kind, 2>, dtype>(streams, begin, end, out);
            case 3:
                return loop<Election<normalize, kind, 3>, dtype>(streams, begin, end, out);
            default:
                return loop<Election<normalize, kind, 4>, dtype>(streams, begin, end, out);
        }
    }
};

// Clones can't be templates: a function for each kernel and type.
#define GALAPAGOS_FUSED_LOOP(name, dtype, ...)                                        \
    GALAPAGOS_VECTOR_CLONES                                                           \
    void name##_##dtype(const Streams& streams, std::int64_t begin, std::int64_t end, \
                        float* out) {                                                 \
        __VA_ARGS__::run<DType::dtype>(streams, begin, end, out);                     \
    }
#define GALAPAGOS_FUSED_LOOPS(name, ...)                                                 \
    GALAPAGOS_FUSED_LOOP(name, bf16, __VA_ARGS__)                                        \
    GALAPAGOS_FUSED_LOOP(name, f32, __VA_ARGS__)                                         \
    void name(DType dtype, const Streams& streams, std::int64_t begin, std::int64_t end, \
              float* out) {                                                              \
        dtype == DType::bf16 ? name##_bf16(streams, begin, end, out)                     \
                             : name##_f32(streams, begin, end, out);                     \
    }

GALAPAGOS_FUSED_LOOPS(sum, Sum)
GALAPAGOS_FUSED_LOOPS(task_sum, TaskSum<Kept::all>)
GALAPAGOS_FUSED_LOOPS(largest_sum, TaskSum<Kept::largest>)
GALAPAGOS_FUSED_LOOPS(band_sum, TaskSum<Kept::band>)
GALAPAGOS_FUSED_LOOPS(random_sum, TaskSum<Kept::random>)
GALAPAGOS_FUSED_LOOPS(elected_largest_sum, Elections<false, Kept::largest>)
GALAPAGOS_FUSED_LOOPS(elected_band_sum, Elections<false, Kept::band>)
GALAPAGOS_FUSED_LOOPS(elected_random_sum, Elections<false, Kept::random>)
GALAPAGOS_FUSED_LOOPS(elected_largest_mean, Elections<true, Kept::largest>)
GALAPAGOS_FUSED_LOOPS(elected_band_mean, Elections<true, Kept::band>)
GALAPAGOS_FUSED_LOOPS(elected_random_mean, Elections<true, Kept::random>)

using Loop = void (*)(DType, const Streams&, std::int64_t, std::int64_t, float*);

Loop choose_loop(Kept kind, bool elect_signs, bool normalize) {
    switch (kind) {
        case Kept::all:  // an election takes it for the largest of all
            if (!elect_signs) return task_sum;
            [[fallthrough]];
        case Kept::largest:
            if (!elect_signs) return largest_sum;
            return normalize ? elected_largest_mean : elected_largest_sum;
        case Kept::band:
            if (!elect_signs) return band_sum;
            return normalize ? elected_band_mean : elected_band_sum;
        case Kept::random:
            if (!elect_signs) return random_sum;
            return normalize ? elected_random_mean : elected_random_sum;
    }
    return task_sum;
}

/// What covers every input of the job.
Kept kept_of(const TensorJob& job) {
    Kept result = Kept::all;
    for (const JobInput& input : job.inputs) {
        if (input.sparsity == Sparsity::random) return Kept::random;
        if (input.sparsity != Sparsity::magnitude) continue;
        if (input.ceiling != std::numeric_limits<std::uint32_t>::max()) return Kept::band;
        result = Kept::largest;
    }
    return result;
}

/// Memory of one thread, kept from block to block.
struct Scratch {
    std::vector<Stream> streams;
    std::vector<std::int64_t> ties;
    std::vector<RandomWord> words;
};

const std::byte* data_at(const StoredTensor& tensor, std::int64_t global) {
    return tensor.data + static_cast<std::size_t>(global) * size_of(tensor.dtype);
}

/// Room for one input's words of a block.
constexpr std::int64_t words_of_block = block_elements + mask_room;

/// Largest key that a range of elements does not keep, or does keep: equal ones are on one side up
/// to an element's number, and on the other side after it.
std::int32_t key_before(std::uint32_t key, bool included) {
    const std::int64_t last = static_cast<std::int64_t>(key) - (included ? 1 : 0);
    return static_cast<std::int32_t>(std::min<std::int64_t>(last, largest_key));
}

/// Sets what is kept of the elements from number `element` up to the next tie.
void set_bounds(const JobInput& input, std::int64_t element, Stream& stream) {
    if (input.sparsity != Sparsity::magnitude) return;
    stream.set_bounds(key_before(input.threshold, element <= input.last_tie),
                      input.ceiling == std::numeric_limits<std::uint32_t>::max()
                          ? largest_key
                          : key_before(input.ceiling, element <= input.last_dropped_tie));
}

/// Ends of the ranges of a block in which no bound changes.
void find_ties(const TensorJob& job, std::int64_t global, std::int64_t count,
               std::vector<std::int64_t>& ties) {
    ties.clear();
    for (const JobInput& input : job.inputs) {
        if (input.sparsity != Sparsity::magnitude) continue;
        for (const std::int64_t last : {input.last_tie, input.last_dropped_tie})
            if (last >= global && last < global + count - 1) ties.push_back(last + 1 - global);
    }
    ties.push_back(count);
    std::sort(ties.begin(), ties.end());
}

/// An input of which everything is kept, among thinned ones: words that are below any limit.
void keep_all(Stream& stream) {
    static const std::vector<RandomWord> zeros(block_elements);
    stream.random = zeros.data();
    std::fill_n(stream.keep_below, 2 * wide, RandomWord{1});
}

}  // namespace

bool can_fuse(const TensorJob& job, bool elect_signs) {
    if (job.inputs.empty() || (elect_signs && job.inputs.size() > most_elected)) return false;
    const DType dtype = job.inputs.front().tensor.dtype;
    if (dtype != DType::bf16 && dtype != DType::f32) return false;
    if (job.base.data != nullptr && job.base.dtype != dtype) return false;
    const auto any = [&](Sparsity sparsity) {
        return std::any_of(job.inputs.begin(), job.inputs.end(),
                           [&](const JobInput& input) { return input.sparsity == sparsity; });
    };
    if (any(Sparsity::by_rank) || (any(Sparsity::random) && any(Sparsity::magnitude))) return false;
    return std::all_of(job.inputs.begin(), job.inputs.end(),
                       [&](const JobInput& input) { return input.tensor.dtype == dtype; });
}

void fused_sum_block(const TensorJob& job, bool with_base, std::int64_t global, std::int64_t count,
                     float* out) {
    thread_local std::vector<Stream> streams;
    streams.clear();
    if (with_base) streams.emplace_back(data_at(job.base, global), job.base_gain, 1.0f);
    for (const JobInput& input : job.inputs)
        streams.emplace_back(data_at(input.tensor, global), input.gain, 1.0f);
    sum(job.inputs.front().tensor.dtype,
        {nullptr, streams.data(), streams.data() + streams.size(), 1}, 0, count, out);
}

void fused_delta_block(const TensorJob& job, bool elect_signs, std::int64_t global,
                       std::int64_t count, float* out) {
    thread_local Scratch scratch;
    auto& [streams, ties, words] = scratch;
    streams.clear();
    words.resize(job.inputs.size() * words_of_block);
    const Kept kind = kept_of(job);
    for (const JobInput& input : job.inputs) {
        if (input.sparsity == Sparsity::empty) continue;
        RandomWord* own = words.data() + streams.size() * words_of_block;
        Stream& stream =
            streams.emplace_back(data_at(input.tensor, global), input.gain, input.vote);
        if (input.sparsity == Sparsity::random) {
            stream.random = mask_words(mask_stream(job, input), global, count, own);
            std::fill_n(stream.keep_below, 2 * wide, input.keep_below);
        } else if (kind == Kept::random) {
            keep_all(stream);
        }
    }
    if (streams.empty()) return load_block(job.base, global, count, out);
    const Streams all{data_at(job.base, global), streams.data(), streams.data() + streams.size(),
                      job.factor};
    const Loop loop = choose_loop(kind, elect_signs, job.normalize);
    find_ties(job, global, count, ties);
    std::int64_t begin = 0;
    for (const std::int64_t end : ties) {
        std::size_t i = 0;
        for (const JobInput& input : job.inputs)
            if (input.sparsity != Sparsity::empty) set_bounds(input, global + begin, streams[i++]);
        loop(job.base.dtype, all, begin, end, out);
        begin = end;
    }
}

}  // namespace galapagos
