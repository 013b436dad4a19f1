#pragma once

#include <cstdint>

#include "model/buffer.hpp"

namespace galapagos {

/// Keys and values of every hop of the layer path, [hop][row][kv_head][max_tokens][head_dim],
/// allocated once. A hop has its own cache, even where a path runs one layer several times.
template <typename T>
class KvCache {
  public:
    KvCache(int64_t hops, int64_t rows, int64_t kv_heads, int64_t max_tokens, int64_t head_dim)
        : rows_(rows),
          kv_heads_(kv_heads),
          slab_(max_tokens * head_dim),
          keys_(hops * rows * kv_heads * slab_),
          values_(hops * rows * kv_heads * slab_) {}

    /// The [max_tokens, head_dim] slab of one head.
    T* keys(int64_t hop, int64_t row, int64_t head) { return keys_.data() + at(hop, row, head); }
    T* values(int64_t hop, int64_t row, int64_t head) {
        return values_.data() + at(hop, row, head);
    }
    /// Elements from one head's slab to the next head's, within a row.
    int64_t head_stride() const { return slab_; }

  private:
    int64_t at(int64_t hop, int64_t row, int64_t head) const {
        return ((hop * rows_ + row) * kv_heads_ + head) * slab_;
    }

    int64_t rows_;
    int64_t kv_heads_;
    int64_t slab_;
    Buffer<T> keys_;
    Buffer<T> values_;
};

}  // namespace galapagos
