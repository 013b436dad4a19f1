#pragma once

#include <span>
#include <vector>

#include "model/attention.hpp"
#include "model/buffer.hpp"
#include "model/kv_cache.hpp"
#include "model/layer_weights.hpp"
#include "model/rotary.hpp"

namespace galapagos {

/// The first half of a layer, up to the output projection: queries, keys and values of the packed
/// tokens, head norms, rotation, the key-value cache, and attention.
template <typename T>
class AttentionBlock {
  public:
    /// `slots`: independent caches, one a hop. `tokens`: the most in one pass.
    AttentionBlock(const Architecture& architecture, const HeadCounts& heads, int64_t slots,
                   int64_t rows, int64_t max_tokens, int64_t tokens, DType dtype);

    /// Notes where the tokens of the next passes lie. A later segment may overwrite positions of an
    /// earlier one's row.
    void plan(std::span<const Segment> segments);
    /// Position of each planned token in its row.
    int64_t position(int64_t token) const { return places_[static_cast<size_t>(token)].position; }

    /// Attends from `normed` [tokens, hidden]; keys and values are appended to the slot's cache.
    void run(const LayerWeights<T>& layer, const LayerSettings& settings, int64_t slot,
             const T* normed);

    /// Moves the answers of some tokens (ascending) to the front.
    void keep(std::span<const int32_t> wanted);

    /// What the last run found, [tokens, this rank's query heads * head_dim].
    const T* attended() const { return attended_.data(); }

  private:
    /// Where a token goes in the cache.
    struct Place {
        int64_t row;
        int64_t position;
    };
    /// Segments [first, last) of a run whose rows are distinct, and their tokens.
    struct Wave {
        size_t first_segment, last_segment;
        int64_t first_token, last_token;
    };

    void project(const LayerWeights<T>& layer, const T* normed);
    void split_heads(QueryKeyValue kind);
    void prepare_queries(const LayerWeights<T>& layer, const RotaryTable* rotary);
    void store_keys_and_values(const Wave& wave, const LayerWeights<T>& layer,
                               const RotaryTable* rotary, int64_t slot);

    const RowKernels<T>& kernels_ = row_kernels<T>();
    HeadCounts heads_;
    int64_t query_width_, kv_width_;
    QueryKeyValue query_key_value_;
    float softcap_;
    std::vector<RotaryTable> rotary_;
    KvCache<T> cache_;
    Attention<T> attention_;
    std::vector<Segment> segments_;
    std::vector<Place> places_;
    std::vector<Wave> waves_;
    std::vector<size_t> row_wave_;  ///< number of the last wave that holds each cache row
    Buffer<T> fused_, queries_, keys_, values_, attended_;
};

}  // namespace galapagos
