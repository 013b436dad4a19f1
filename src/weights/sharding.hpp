// Which part of every tensor a tensor-parallel rank holds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/tensor.hpp"

namespace galapagos {

struct ArchitectureLayout;
enum class Axis;

/// Half-open range of indices.
struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;

    std::int64_t size() const noexcept { return end - begin; }
    bool operator==(const Range&) const = default;
};

/// Part `rank` of `total` things cut into `parts` near-even pieces: sizes differ by at most one,
/// the larger ones come first.
Range near_even_part(std::int64_t total, std::int64_t parts, std::int64_t rank) noexcept;

/// A part of a tensor: index ranges along one dimension, in ascending order. A fused matrix has one
/// range a block.
struct TensorSlice {
    int dim = -1;  ///< -1: the whole tensor
    std::vector<Range> ranges;

    bool whole() const noexcept { return dim < 0; }
    /// Sum of the ranges' sizes.
    std::int64_t extent() const noexcept;
    bool operator==(const TensorSlice&) const = default;
};

/// Shape of what a slice takes from a tensor of shape `shape`.
Shape sliced_shape(const TensorSlice& slice, const Shape& shape);

/// A run of elements that are adjacent both in the whole tensor and in the slice.
struct SliceRun {
    std::int64_t global = 0;  ///< first element's index in the whole tensor
    std::int64_t local = 0;   ///< first element's index in the slice
    std::int64_t count = 0;
};

/// Calls `visit(SliceRun)` for every run of the slice, in ascending local (and global) order. Runs
/// are as long as possible: a row slice is one run, a column slice one run a row.
template <typename Visit>
void for_each_run(const TensorSlice& slice, const Shape& shape, Visit&& visit) {
    if (slice.whole()) {
        visit(SliceRun{0, 0, element_count(shape)});
        return;
    }
    const auto dim = static_cast<std::size_t>(slice.dim);
    std::int64_t outer = 1;
    std::int64_t inner = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        if (d < dim) outer *= shape[d];
        if (d > dim) inner *= shape[d];
    }
    std::int64_t local = 0;
    for (std::int64_t row = 0; row < outer; ++row) {
        for (const Range& range : slice.ranges) {
            const std::int64_t count = range.size() * inner;
            if (count == 0) continue;
            visit(SliceRun{(row * shape[dim] + range.begin) * inner, local, count});
            local += count;
        }
    }
}

/// Copies a slice of `whole` to `part`; both have the same element type. Throws Error if shapes do
/// not fit.
void copy_slice(const TensorView& whole, const TensorSlice& slice, const MutableTensorView& part);

/// The tensor-parallel cut of one architecture, as read from config.json (an object in Hugging Face
/// form).
///
/// Attention is cut by KV head. With at most as many ranks as KV heads, the KV heads are dealt out
/// near-evenly and bring their query heads along. With more ranks, the ranks are dealt out
/// near-evenly over the KV heads: the ranks of one group all hold that KV head and share out its
/// query heads near-evenly. MLP columns and vocabulary rows are cut near-evenly.
class Sharding {
  public:
    /// A single rank that holds everything, of any architecture.
    Sharding();
    /// Throws Error if the architecture is unknown and `tp_size` is not 1, a size is missing, or
    /// `tp_size` exceeds the number of query heads.
    Sharding(const nlohmann::json& config, int tp_size, int tp_rank);

    int size() const noexcept { return size_; }
    int rank() const noexcept { return rank_; }

    /// This rank's part of the tensor called `name`. Throws Error if the architecture has no rule
    /// for the name, or if the shape contradicts config.json.
    TensorSlice slice(std::string_view name, const Shape& shape) const;
    Shape local_shape(std::string_view name, const Shape& shape) const;

    std::int64_t head_dim() const noexcept { return head_dim_; }
    std::int64_t q_head_begin() const noexcept { return q_heads_.begin; }
    std::int64_t q_head_end() const noexcept { return q_heads_.end; }
    std::int64_t kv_head_begin() const noexcept { return kv_heads_.begin; }
    std::int64_t kv_head_end() const noexcept { return kv_heads_.end; }
    std::int64_t vocab_begin() const noexcept { return vocab_.begin; }
    std::int64_t vocab_end() const noexcept { return vocab_.end; }
    std::int64_t intermediate_begin() const noexcept { return intermediate_.begin; }
    std::int64_t intermediate_end() const noexcept { return intermediate_.end; }

    /// True if no other rank of lower number holds the same KV heads: that rank owns them where
    /// each must be counted once.
    bool owns_kv_heads() const noexcept { return owns_kv_heads_; }

  private:
    struct Counts {
        std::int64_t q_heads = 0, kv_heads = 0, vocab = 0, intermediate = 0;
    };
    void cut_attention();
    Range local_range(Axis axis) const;
    std::int64_t full_extent(Axis axis) const;

    int size_ = 1;
    int rank_ = 0;
    const ArchitectureLayout* layout_ = nullptr;  ///< null: everything whole
    Counts counts_;
    std::int64_t head_dim_ = 0;
    Range q_heads_, kv_heads_, vocab_, intermediate_;
    bool owns_kv_heads_ = true;
};

}  // namespace galapagos
