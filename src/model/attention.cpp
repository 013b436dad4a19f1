#include "model/attention.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>

#include "model/for_each_range.hpp"
#include "model/torch_types.hpp"

namespace galapagos {
namespace {

/// The first position that the token at `position` sees.
int64_t first_visible(int64_t position, int64_t window) {
    return window == 0 ? 0 : std::max<int64_t>(0, position + 1 - window);
}

/// What is added to the scores [count, length] of tokens that `before` of the cached ones precede:
/// 0 where a token sees another, else minus infinity.
at::Tensor visibility(int64_t count, int64_t length, int64_t before, int64_t window,
                      const at::TensorOptions& options) {
    const at::Tensor hidden =
        at::full({count, length}, -std::numeric_limits<float>::infinity(), options);
    at::Tensor mask = hidden.triu(before + 1);
    if (window > 0 && length > window) mask.add_(hidden.tril(before - window));
    return mask;
}

/// Attention with capped scores, which libtorch's kernel doesn't know; in fp32, some queries at a
/// time so that the scores stay small.
void attend_capped(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t before,
                   const AttentionSettings& settings, at::Tensor& output) {
    constexpr int64_t block = 128;
    const at::Tensor keys = k.to(at::kFloat).transpose(-1, -2);
    const at::Tensor values = v.to(at::kFloat);
    const auto cap = static_cast<double>(settings.softcap);
    for (int64_t begin = 0; begin < q.size(2); begin += block) {
        const int64_t count = std::min(block, q.size(2) - begin);
        at::Tensor scores = at::matmul(q.narrow(2, begin, count).to(at::kFloat), keys);
        scores.mul_(settings.scale).div_(cap).tanh_().mul_(cap);
        scores.add_(visibility(count, k.size(2), before + begin, settings.window, keys.options()));
        output.narrow(2, begin, count).copy_(at::matmul(at::softmax(scores, -1), values));
    }
}

}  // namespace

template <typename T>
Attention<T>::Attention(const HeadCounts& heads, int64_t max_tokens)
    : heads_(heads),
      group_(heads.query / heads.kv),
      max_tokens_(max_tokens),
      scratch_per_thread_(group_ * (max_tokens + 2 * heads.head_dim)),
      scratch_(scratch_per_thread_ * at::get_num_threads()) {}

template <typename T>
void Attention<T>::run(std::span<const Segment> segments, const T* queries, KvCache<T>& cache,
                       int64_t hop, const AttentionSettings& settings, T* output) {
    const int64_t width = heads_.query * heads_.head_dim;
    size_t index = 0;
    while (index < segments.size()) {
        if (segments[index].count > 1) {
            attend_many(segments[index], queries, cache, hop, settings, output);
            queries += segments[index].count * width;
            output += segments[index].count * width;
            ++index;
            continue;
        }
        size_t end = index;
        while (end < segments.size() && segments[end].count == 1) ++end;
        const auto singles = segments.subspan(index, end - index);
        const auto tasks = static_cast<int64_t>(singles.size()) * heads_.kv;
        for_each_range(0, tasks, 1, [&](int64_t first, int64_t last, int range) {
            float* scratch = scratch_.data() + range * scratch_per_thread_;
            for (int64_t task = first; task < last; ++task) {
                const int64_t token = task / heads_.kv;
                attend_one(singles[static_cast<size_t>(token)], task % heads_.kv,
                           queries + token * width, cache, hop, settings, output + token * width,
                           scratch);
            }
        });
        queries += static_cast<int64_t>(singles.size()) * width;
        output += static_cast<int64_t>(singles.size()) * width;
        index = end;
    }
}

template <typename T>
void Attention<T>::attend_one(const Segment& segment, int64_t head, const T* queries,
                              KvCache<T>& cache, int64_t hop, const AttentionSettings& settings,
                              T* output, float* scratch) const {
    const int64_t offset = head * group_ * heads_.head_dim;
    const int64_t first = first_visible(segment.position, settings.window);
    row_kernels<T>().attend(
        queries + offset, cache.keys(hop, segment.row, head) + first * heads_.head_dim,
        cache.values(hop, segment.row, head) + first * heads_.head_dim, output + offset, scratch,
        {group_, segment.position + 1 - first, heads_.head_dim, settings.scale, settings.softcap});
}

/// Several tokens of one row through libtorch's flash attention. Key-value heads take the place of
/// its batch, so that the query heads of a group share theirs without a copy (stride 0).
template <typename T>
void Attention<T>::attend_many(const Segment& segment, const T* queries, KvCache<T>& cache,
                               int64_t hop, const AttentionSettings& settings, T* output) const {
    const int64_t dim = heads_.head_dim;
    const int64_t first = first_visible(segment.position, settings.window);
    const int64_t before = segment.position - first;
    const int64_t length = before + segment.count;
    const std::vector<int64_t> sizes{heads_.kv, group_, segment.count, dim};
    const std::vector<int64_t> strides{group_ * dim, dim, heads_.query * dim, 1};
    const std::vector<int64_t> cached_sizes{heads_.kv, group_, length, dim};
    const std::vector<int64_t> cached_strides{cache.head_stride(), 0, dim, 1};
    const at::Tensor q = tensor_over(queries, sizes, strides);
    const at::Tensor k =
        tensor_over(cache.keys(hop, segment.row, 0) + first * dim, cached_sizes, cached_strides);
    const at::Tensor v =
        tensor_over(cache.values(hop, segment.row, 0) + first * dim, cached_sizes, cached_strides);
    at::Tensor result = tensor_over(output, sizes, strides);
    if (settings.softcap != 0) {
        attend_capped(q, k, v, before, settings, result);
        return;
    }
    const bool plain = before == 0 && (settings.window == 0 || length <= settings.window);
    std::optional<at::Tensor> mask;
    if (!plain) mask = visibility(segment.count, length, before, settings.window, q.options());
    const auto attended =
        at::_scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, plain, mask, settings.scale);
    result.copy_(std::get<0>(attended));
}

template class Attention<float>;
template class Attention<Bf16>;

}  // namespace galapagos
