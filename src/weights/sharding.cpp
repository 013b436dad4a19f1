#include "weights/sharding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "weights/architecture_layout.hpp"
#include "weights/model_sizes.hpp"

namespace galapagos {
namespace {

Range scaled(Range range, std::int64_t factor) {
    return {range.begin * factor, range.end * factor};
}

Range shifted(Range range, std::int64_t offset) {
    return {range.begin + offset, range.end + offset};
}

}  // namespace

Range near_even_part(std::int64_t total, std::int64_t parts, std::int64_t rank) noexcept {
    const std::int64_t share = total / parts;
    const std::int64_t larger = total % parts;
    const std::int64_t begin = rank * share + std::min(rank, larger);
    return {begin, begin + share + (rank < larger ? 1 : 0)};
}

std::int64_t TensorSlice::extent() const noexcept {
    std::int64_t sum = 0;
    for (const Range& range : ranges) sum += range.size();
    return sum;
}

Shape sliced_shape(const TensorSlice& slice, const Shape& shape) {
    Shape result = shape;
    if (!slice.whole()) result.at(static_cast<std::size_t>(slice.dim)) = slice.extent();
    return result;
}

void copy_slice(const TensorView& whole, const TensorSlice& slice, const MutableTensorView& part) {
    if (part.dtype != whole.dtype || part.shape != sliced_shape(slice, whole.shape)) {
        throw Error(
            "can't copy part of a tensor",
            fmt::format("the part has shape {} and not {}, or another type", to_string(part.shape),
                        to_string(sliced_shape(slice, whole.shape))));
    }
    const auto size = static_cast<std::int64_t>(size_of(whole.dtype));
    for_each_run(slice, whole.shape, [&](const SliceRun& run) {
        std::memcpy(part.data + run.local * size, whole.data + run.global * size,
                    static_cast<std::size_t>(run.count * size));
    });
}

Sharding::Sharding() = default;

Sharding::Sharding(const nlohmann::json& config, int tp_size, int tp_rank)
    : size_(tp_size), rank_(tp_rank), layout_(find_layout(config)) {
    if (size_ < 1 || rank_ < 0 || rank_ >= size_) {
        throw Error("can't cut the model into shards", fmt::format("rank {} of {}", rank_, size_));
    }
    if (layout_ == nullptr) {
        if (size_ == 1) return;  // nothing to cut
        const auto type = config.value("model_type", std::string("(none)"));
        throw Error(fmt::format("can't cut a model of type '{}' into shards", type),
                    "this architecture is not known", "known: " + known_model_types());
    }
    const ModelSizes sizes = read_model_sizes(*layout_, config);
    counts_ = {sizes.query_heads, sizes.kv_heads, sizes.vocabulary, sizes.intermediate};
    head_dim_ = sizes.head_dim;
    cut_attention();
    vocab_ = near_even_part(counts_.vocab, size_, rank_);
    intermediate_ = near_even_part(counts_.intermediate, size_, rank_);
}

void Sharding::cut_attention() {
    const std::int64_t q_heads = counts_.q_heads;
    const std::int64_t kv_heads = counts_.kv_heads;
    if (q_heads % kv_heads != 0) {
        throw Error("can't cut the model into shards",
                    fmt::format("{} attention heads do not divide into {} key-value heads", q_heads,
                                kv_heads));
    }
    if (size_ > q_heads || size_ > counts_.intermediate || size_ > counts_.vocab) {
        throw Error(fmt::format("can't cut the model into {} shards", size_),
                    fmt::format("it has {} attention heads", q_heads),
                    "lower evaluation.tensor_parallel");
    }
    const std::int64_t group = q_heads / kv_heads;  // query heads that share a key-value head
    if (size_ <= kv_heads) {
        kv_heads_ = near_even_part(kv_heads, size_, rank_);
        q_heads_ = scaled(kv_heads_, group);
        return;
    }
    std::int64_t head = 0;
    while (near_even_part(size_, kv_heads, head).end <= rank_) ++head;
    const Range ranks = near_even_part(size_, kv_heads, head);
    kv_heads_ = {head, head + 1};
    q_heads_ = shifted(near_even_part(group, ranks.size(), rank_ - ranks.begin), head * group);
    owns_kv_heads_ = rank_ == ranks.begin;
}

Range Sharding::local_range(Axis axis) const {
    switch (axis) {
        case Axis::query:
            return scaled(q_heads_, head_dim_);
        case Axis::kv:
            return scaled(kv_heads_, head_dim_);
        case Axis::query_key_value:
            return scaled(q_heads_, 3 * head_dim_);
        case Axis::intermediate:
            return intermediate_;
        case Axis::vocab:
            return vocab_;
    }
    return {};
}

std::int64_t Sharding::full_extent(Axis axis) const {
    switch (axis) {
        case Axis::query:
            return counts_.q_heads * head_dim_;
        case Axis::kv:
            return counts_.kv_heads * head_dim_;
        case Axis::query_key_value:
            return counts_.q_heads * 3 * head_dim_;
        case Axis::intermediate:
            return counts_.intermediate;
        case Axis::vocab:
            return counts_.vocab;
    }
    return 0;
}

TensorSlice Sharding::slice(std::string_view name, const Shape& shape) const {
    if (size_ == 1) return {};
    const TensorRule* rule = find_rule(*layout_, name);
    if (rule == nullptr) {
        throw Error(
            fmt::format("can't cut tensor '{}' into shards", name),
            fmt::format("a model of type '{}' has no such tensor", layout_->model_types.front()));
    }
    TensorSlice slice;
    if (rule->dim < 0) return slice;
    slice.dim = rule->dim;
    std::int64_t offset = 0;
    for (const Axis axis : rule->blocks) {
        slice.ranges.push_back(shifted(local_range(axis), offset));
        offset += full_extent(axis);
    }
    const auto dim = static_cast<std::size_t>(rule->dim);
    if (dim >= shape.size() || shape[dim] != offset) {
        throw Error(fmt::format("can't cut tensor '{}' into shards", name),
                    fmt::format("its shape is {}, but config.json makes dimension {} be {}",
                                to_string(shape), dim, offset));
    }
    return slice;
}

Shape Sharding::local_shape(std::string_view name, const Shape& shape) const {
    return sliced_shape(slice(name, shape), shape);
}

}  // namespace galapagos
