// Random merge jobs of every kind that the GPU has a kernel for, with the CPU's result.
#pragma once

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "merge/cuda/device_job.hpp"
#include "merge/job.hpp"
#include "merge/random_mask.hpp"
#include "weights/dtype.hpp"
#include "weights/sharding.hpp"

namespace galapagos::test {

class Draw {
  public:
    explicit Draw(std::uint64_t index) : random_(7, 0, Purpose::test, index) {}

    std::int64_t below(std::int64_t bound) {
        return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound)));
    }
    bool coin() { return below(2) == 0; }
    float normal() { return static_cast<float>(random_.normal()); }
    template <typename T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[below(static_cast<std::int64_t>(values.size()))];
    }

  private:
    RandomStream random_;
};

/// One tensor: the job with whole tensors in host memory, and this rank's part of it.
struct DeviceJobCase {
    TensorJob job;
    Shape shape;
    TensorSlice slice;
    DType out_dtype = DType::f32;
    std::vector<std::vector<std::byte>> stored;  ///< what the job's tensors point to

    std::int64_t part_elements() const { return element_count(sliced_shape(slice, shape)); }

    /// A whole tensor's part for this rank, as it lies in the rank's memory.
    std::vector<std::byte> part_of(const StoredTensor& tensor) const {
        if (tensor.data == nullptr) return {};
        std::vector<std::byte> part(static_cast<std::size_t>(part_elements()) *
                                    size_of(tensor.dtype));
        copy_slice({tensor.data, tensor.dtype, shape}, slice,
                   {part.data(), tensor.dtype, sliced_shape(slice, shape)});
        return part;
    }

    /// The part of what the CPU merges, as stored.
    std::vector<std::byte> expected() const {
        BlockBuffers buffers;
        std::vector<float> merged(static_cast<std::size_t>(job.count));
        for (std::int64_t at = 0; at < job.count; at += block_elements)
            merge_block(job, at, std::min(block_elements, job.count - at), buffers,
                        merged.data() + at);
        std::vector<std::byte> whole(merged.size() * size_of(out_dtype));
        from_float(merged.data(), merged.size(), whole.data(), out_dtype);
        return part_of({whole.data(), out_dtype});
    }
};

/// A few amounts, so that magnitudes are equal and sums vanish.
inline float coarse_weight(Draw& draw) { return static_cast<float>(draw.below(9) - 4) * 0.25f; }

/// Ordinary weights, with zeros, large, tiny and coarse ones among them. All finite in half
/// precision: processors differ in the bits of the NaN that infinity minus infinity gives, and
/// sources that hold either are refused.
inline float drawn_weight(Draw& draw) {
    switch (draw.below(12)) {
        case 0:
            return draw.coin() ? 0.0f : -0.0f;
        case 1:
            return draw.normal() * 1e-7f;
        case 2:
            return draw.normal() * 1e3f;
        case 3:
            return draw.normal() * 1e-41f;
        case 4:
        case 5:
            return coarse_weight(draw);
        default:
            return draw.normal() * 0.1f;
    }
}

inline StoredTensor drawn_tensor(Draw& draw, bool coarse, DeviceJobCase& made) {
    std::vector<float> values(static_cast<std::size_t>(made.job.count));
    for (float& value : values) value = coarse ? coarse_weight(draw) : drawn_weight(draw);
    const DType dtype = draw.one_of({DType::f32, DType::f16, DType::bf16});
    auto& bytes = made.stored.emplace_back(values.size() * size_of(dtype));
    from_float(values.data(), values.size(), bytes.data(), dtype);
    return {bytes.data(), dtype};
}

/// The bit pattern of |delta| at an element.
inline std::uint32_t key_at(std::int64_t element, const TensorJob& job, const JobInput& input) {
    float base = 0, source = 0;
    load_block(job.base, element, 1, &base);
    load_block(input.tensor, element, 1, &source);
    return std::bit_cast<std::uint32_t>(source - base) & 0x7FFFFFFFu;
}

/// Cuts at two elements' magnitudes, with the ties up to just these elements or up to others.
inline void draw_cuts(Draw& draw, const TensorJob& job, JobInput& input) {
    std::int64_t low = draw.below(job.count), high = draw.below(job.count);
    if (key_at(low, job, input) > key_at(high, job, input)) std::swap(low, high);
    input.threshold = key_at(low, job, input);
    if (draw.coin()) input.last_tie = draw.coin() ? low : draw.below(job.count);
    if (draw.coin()) return;
    input.ceiling = key_at(high, job, input);
    if (draw.coin()) input.last_dropped_tie = draw.coin() ? high : draw.below(job.count);
}

inline void draw_sparsity(Draw& draw, const TensorJob& job, JobInput& input) {
    input.sparsity = draw.one_of({Sparsity::dense, Sparsity::magnitude, Sparsity::magnitude,
                                  Sparsity::random, Sparsity::random, Sparsity::empty});
    if (input.sparsity == Sparsity::magnitude) draw_cuts(draw, job, input);
    if (input.sparsity == Sparsity::random)
        input.keep_below =
            keep_limit(probability_level(0.1 + 0.1 * static_cast<double>(draw.below(9))));
}

/// A slice as tensor parallelism cuts it: all, rows, columns, or the blocks of a fused matrix.
inline TensorSlice drawn_slice(Draw& draw, const Shape& shape) {
    TensorSlice slice;
    slice.dim = static_cast<int>(draw.below(3)) - 1;
    if (slice.dim < 0) return slice;
    const std::int64_t extent = shape[static_cast<std::size_t>(slice.dim)];
    const std::int64_t blocks = extent >= 6 ? 1 + draw.below(2) : 1;
    for (std::int64_t block = 0; block < blocks; ++block) {
        const Range whole = near_even_part(extent, blocks, block);
        const std::int64_t begin = draw.below(whole.size());
        slice.ranges.push_back(
            {whole.begin + begin, whole.begin + begin + 1 + draw.below(whole.size() - begin)});
    }
    return slice;
}

/// Case number `index`: always the same one.
inline DeviceJobCase drawn_case(std::uint64_t index) {
    Draw draw(index);
    DeviceJobCase made;
    made.shape = draw.coin() ? Shape{1 + draw.below(40), 1 + draw.below(90)}
                             : Shape{4 * (1 + draw.below(8)), 128 * (1 + draw.below(8))};
    made.slice = drawn_slice(draw, made.shape);
    made.out_dtype = draw.one_of({DType::f32, DType::f16, DType::bf16});
    TensorJob& job = made.job;
    job.method = draw.one_of({Method::linear, Method::task_arithmetic, Method::dare_linear,
                              Method::ties, Method::dare_ties, Method::breadcrumbs_ties});
    job.count = element_count(made.shape);
    job.seed = static_cast<std::uint64_t>(draw.below(std::int64_t{1} << 62));
    job.name_hash = static_cast<std::uint64_t>(draw.below(std::int64_t{1} << 62));
    job.normalize = draw.coin();
    job.factor = draw.coin() ? 1.0f : draw.normal();
    const bool coarse = draw.coin();
    if (job.method != Method::linear) job.base = drawn_tensor(draw, coarse, made);
    const std::int64_t inputs = 1 + draw.below(draw.below(8) == 0 ? cuda::most_inputs : 4);
    for (std::int64_t i = 0; i < inputs; ++i) {
        JobInput input;
        input.tensor = drawn_tensor(draw, coarse, made);
        input.gain = coarse ? draw.one_of({1.0f, -1.0f, 0.5f}) : draw.normal();
        input.vote = draw.one_of({0.0f, 1.0f, input.gain});
        input.position = static_cast<std::uint32_t>(i);
        if (job.method != Method::linear) draw_sparsity(draw, job, input);
        job.inputs.push_back(input);
    }
    return made;
}

}  // namespace galapagos::test
