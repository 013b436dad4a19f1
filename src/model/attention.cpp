#include "model/attention.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "model/for_each_range.hpp"
#include "model/kernels/matrix_kernels.hpp"

namespace galapagos {
namespace {

/// Rows (tokens times query heads of a group) of a block: enough for efficient products, few enough
/// that its scores stay in the second-level cache and that little is computed beyond the diagonal.
constexpr int64_t block_rows = 128;

/// The first position that the token at `position` sees.
int64_t first_visible(int64_t position, int64_t window) {
    return window == 0 ? 0 : std::max<int64_t>(0, position + 1 - window);
}

}  // namespace

template <typename T>
Attention<T>::Attention(const HeadCounts& heads, int64_t max_tokens)
    : heads_(heads),
      group_(heads.query / heads.kv),
      max_tokens_(max_tokens),
      block_tokens_(std::max<int64_t>(1, block_rows / group_)),
      floats_(block_tokens_ * group_ * (max_tokens + 2 * heads.head_dim) * at::get_num_threads()),
      elements_(block_tokens_ * group_ * (max_tokens + heads.head_dim) * at::get_num_threads()) {}

template <typename T>
void Attention<T>::run(std::span<const Segment> segments, const T* queries, KvCache<T>& cache,
                       int64_t hop, const AttentionSettings& settings, T* output) {
    const Call call{queries, cache, hop, settings, output};
    cut(segments);
    for_each_range(0, static_cast<int64_t>(blocks_.size()), 1,
                   [&](int64_t first, int64_t last, int range) {
                       const Place mine = place(range);
                       for (int64_t i = first; i < last; ++i) {
                           const Block& block = blocks_[static_cast<size_t>(i)];
                           if (block.tokens.count == 1)
                               attend_one(block, call, mine);
                           else
                               attend_block(block, call, mine);
                       }
                   });
}

template <typename T>
void Attention<T>::cut(std::span<const Segment> segments) {
    blocks_.clear();
    int64_t token = 0;
    for (const Segment& segment : segments) {
        for (int64_t head = 0; head < heads_.kv; ++head)
            for (int64_t begin = 0; begin < segment.count; begin += block_tokens_) {
                const Segment tokens{segment.row, segment.position + begin,
                                     std::min(block_tokens_, segment.count - begin)};
                blocks_.push_back(
                    {tokens, head,
                     ((token + begin) * heads_.kv + head) * group_ * heads_.head_dim});
            }
        token += segment.count;
    }
}

template <typename T>
typename Attention<T>::Place Attention<T>::place(int range) {
    const int64_t rows = block_tokens_ * group_;
    float* scores = floats_.data() + range * rows * (max_tokens_ + 2 * heads_.head_dim);
    T* queries = elements_.data() + range * rows * (max_tokens_ + heads_.head_dim);
    return {scores, scores + rows * max_tokens_, queries, queries + rows * heads_.head_dim};
}

template <typename T>
void Attention<T>::attend_one(const Block& block, const Call& call, const Place& place) const {
    const auto& [row, position, count] = block.tokens;
    const int64_t first = first_visible(position, call.settings.window);
    row_kernels<T>().attend(call.queries + block.offset,
                            call.cache.keys(call.hop, row, block.head) + first * heads_.head_dim,
                            call.cache.values(call.hop, row, block.head) + first * heads_.head_dim,
                            call.output + block.offset, place.scores,
                            {group_, position + 1 - first, heads_.head_dim, call.settings.scale,
                             call.settings.softcap});
}

/// Scores of all rows are one product, weighted values another one. Weights beyond what a row sees
/// are 0, which leaves its sums as they are.
template <typename T>
void Attention<T>::attend_block(const Block& block, const Call& call, const Place& place) const {
    const auto& [row, position, count] = block.tokens;
    const AttentionSettings& settings = call.settings;
    const int64_t dim = heads_.head_dim, group_width = group_ * dim;
    const int64_t token_width = heads_.kv * group_width;
    const int64_t first = first_visible(position, settings.window);
    const int64_t length = position + count - first;
    const int64_t rows = count * group_;
    for (int64_t t = 0; t < count; ++t)
        std::memcpy(place.queries + t * group_width, call.queries + block.offset + t * token_width,
                    static_cast<size_t>(group_width) * sizeof(T));
    matrix_kernels<T>().multiply({place.queries, rows,
                                  call.cache.keys(call.hop, row, block.head) + first * dim, nullptr,
                                  dim, length, 0, length, nullptr, place.scores});
    float divisors[block_rows];
    for (int64_t r = 0; r < rows; ++r) {
        const int64_t here = position + r / group_;
        divisors[r] = row_kernels<T>().weigh(
            {place.scores + r * length, length, first_visible(here, settings.window) - first,
             here + 1 - first, settings.scale, settings.softcap},
            place.weights + r * length);
    }
    matrix_kernels<T>().multiply_transposed(
        {place.weights, rows, call.cache.values(call.hop, row, block.head) + first * dim, nullptr,
         length, dim, 0, dim, nullptr, place.sums});
    for (int64_t r = 0; r < rows; ++r)
        row_kernels<T>().divide(
            place.sums + r * dim, divisors[r],
            call.output + block.offset + r / group_ * token_width + r % group_ * dim, dim);
}

template class Attention<float>;
template class Attention<Bf16>;

}  // namespace galapagos
