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
    /// Neighbouring tokens of a segment, whose queries of one key-value head go through one
    /// product.
    struct Block {
        Segment tokens;
        int64_t head;    ///< key-value head
        int64_t offset;  ///< of the first token's queries of this head, and of its output
    };
    /// What all blocks of a call share.
    struct Call {
        const T* queries;
        KvCache<T>& cache;
        int64_t hop;
        const AttentionSettings& settings;
        T* output;
    };
    /// Memory of a thread.
    struct Place {
        float* scores;  ///< [block's rows, max_tokens]
        float* sums;    ///< [block's rows, head_dim]
        T* queries;     ///< [block's rows, head_dim]
        T* weights;     ///< [block's rows, max_tokens]
    };

    void cut(std::span<const Segment> segments);
    Place place(int range);
    void attend_one(const Block& block, const Call& call, const Place& place) const;
    void attend_block(const Block& block, const Call& call, const Place& place) const;

    HeadCounts heads_;
    int64_t group_;
    int64_t max_tokens_;
    int64_t block_tokens_;
    std::vector<Block> blocks_;
    Buffer<float> floats_;
    Buffer<T> elements_;
};

}  // namespace galapagos
