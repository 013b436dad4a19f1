#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/buffer.hpp"
#include "model/kv_cache.hpp"

namespace galapagos {

/// `count` neighbouring tokens of a forward pass that continue a cache row at `position`. Earlier
/// positions of the row must be in the cache already. A segment sees its row up to itself.
struct Segment {
    int64_t row = 0;
    int64_t position = 0;
    int64_t count = 0;
};

/// This rank's heads.
struct HeadCounts {
    int64_t query = 0;
    int64_t kv = 0;
    int64_t head_dim = 0;
};

/// How a layer turns scores into weights.
struct AttentionSettings {
    float scale = 1;     ///< factor of the scores
    int64_t window = 0;  ///< a token sees this many tokens, itself included; 0: all
    float softcap = 0;   ///< scores become cap * tanh(score / cap); 0: they don't
};

/// Causal grouped-query attention of packed tokens over the key-value cache.
template <typename T>
class Attention {
  public:
    Attention(const HeadCounts& heads, int64_t max_tokens);

    /// queries and output: [tokens, query heads * head_dim], the segments' tokens one after the
    /// other. Keys and values of all segments are in the cache; their rows are distinct.
    void run(std::span<const Segment> segments, const T* queries, KvCache<T>& cache, int64_t hop,
             const AttentionSettings& settings, T* output);

  private:
    void attend_one(const Segment& segment, int64_t head, const T* queries, KvCache<T>& cache,
                    int64_t hop, const AttentionSettings& settings, T* output,
                    float* scratch) const;
    void attend_many(const Segment& segment, const T* queries, KvCache<T>& cache, int64_t hop,
                     const AttentionSettings& settings, T* output) const;

    HeadCounts heads_;
    int64_t group_;
    int64_t max_tokens_;
    int64_t scratch_per_thread_;
    Buffer<float> scratch_;
};

}  // namespace galapagos
