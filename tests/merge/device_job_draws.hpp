// Random merge jobs for the GPU's kernels: one tensor each, its sources and its cut, with the CPU's
// result.
#pragma once

#include <algorithm>
#include <vector>

#include "base/random.hpp"
#include "merge/job.hpp"
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
    std::vector<std::vector<std::uint16_t>> ranks;

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

    /// The part of an input's ranks, if it has any.
    std::vector<std::byte> ranks_part(const JobInput& input) const {
        return part_of({reinterpret_cast<const std::byte*>(input.ranks), DType::f16});
    }

    /// The job's factors by line, all of them.
    std::vector<std::byte> line_factors() const {
        if (!job.lines) return {};
        const auto* first = reinterpret_cast<const std::byte*>(job.lines->factors.data());
        return {first, first + job.lines->factors.size() * sizeof(float)};
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

}  // namespace galapagos::test
