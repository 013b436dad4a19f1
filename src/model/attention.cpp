#include "model/attention.hpp"

#include <ATen/Parallel.h>

#include <cmath>

#include "model/torch_types.hpp"

namespace galapagos {

template <typename T>
Attention<T>::Attention(const HeadCounts& heads, int64_t max_tokens)
    : heads_(heads),
      group_(heads.query / heads.kv),
      max_tokens_(max_tokens),
      scale_(1.0F / std::sqrt(static_cast<float>(heads.head_dim))),
      scratch_per_thread_(group_ * (max_tokens + 2 * heads.head_dim)),
      scratch_(scratch_per_thread_ * at::get_num_threads()) {}

template <typename T>
void Attention<T>::run(std::span<const Segment> segments, const T* queries, KvCache<T>& cache,
                       int64_t hop, T* output) {
    const int64_t width = heads_.query * heads_.head_dim;
    size_t index = 0;
    while (index < segments.size()) {
        if (segments[index].count > 1) {
            attend_many(segments[index], queries, cache, hop, output);
            queries += segments[index].count * width;
            output += segments[index].count * width;
            ++index;
            continue;
        }
        size_t end = index;
        while (end < segments.size() && segments[end].count == 1) ++end;
        const auto singles = segments.subspan(index, end - index);
        const auto tasks = static_cast<int64_t>(singles.size()) * heads_.kv;
        at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
            float* scratch = scratch_.data() + at::get_thread_num() * scratch_per_thread_;
            for (int64_t task = first; task < last; ++task) {
                const int64_t token = task / heads_.kv;
                attend_one(singles[static_cast<size_t>(token)], task % heads_.kv,
                           queries + token * width, cache, hop, output + token * width, scratch);
            }
        });
        queries += static_cast<int64_t>(singles.size()) * width;
        output += static_cast<int64_t>(singles.size()) * width;
        index = end;
    }
}

template <typename T>
void Attention<T>::attend_one(const Segment& segment, int64_t head, const T* queries,
                              KvCache<T>& cache, int64_t hop, T* output, float* scratch) const {
    const int64_t offset = head * group_ * heads_.head_dim;
    row_kernels<T>().attend(queries + offset, cache.keys(hop, segment.row, head),
                            cache.values(hop, segment.row, head), output + offset, scratch,
                            {group_, segment.position + 1, heads_.head_dim, scale_});
}

/// Several tokens of one row through libtorch's flash attention. Key-value heads take the place of
/// its batch, so that the query heads of a group share theirs without a copy (stride 0).
template <typename T>
void Attention<T>::attend_many(const Segment& segment, const T* queries, KvCache<T>& cache,
                               int64_t hop, T* output) const {
    const int64_t dim = heads_.head_dim;
    const int64_t length = segment.position + segment.count;
    const std::vector<int64_t> sizes{heads_.kv, group_, segment.count, dim};
    const std::vector<int64_t> strides{group_ * dim, dim, heads_.query * dim, 1};
    const std::vector<int64_t> cached_sizes{heads_.kv, group_, length, dim};
    const std::vector<int64_t> cached_strides{cache.head_stride(), 0, dim, 1};
    const at::Tensor q = tensor_over(queries, sizes, strides);
    const at::Tensor k = tensor_over(cache.keys(hop, segment.row, 0), cached_sizes, cached_strides);
    const at::Tensor v =
        tensor_over(cache.values(hop, segment.row, 0), cached_sizes, cached_strides);
    std::optional<at::Tensor> mask;
    if (segment.position > 0)
        mask =
            at::full({segment.count, length}, -std::numeric_limits<float>::infinity(), q.options())
                .triu_(segment.position + 1);
    const auto result = at::_scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, segment.position == 0, mask, scale_);
    tensor_over(output, sizes, strides).copy_(std::get<0>(result));
}

template class Attention<float>;
template class Attention<Bf16>;

}  // namespace galapagos
