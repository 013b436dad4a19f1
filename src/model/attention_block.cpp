#include "model/attention_block.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "model/for_each_row.hpp"

namespace galapagos {

template <typename T>
AttentionBlock<T>::AttentionBlock(const Architecture& architecture, const HeadCounts& heads,
                                  int64_t slots, int64_t rows, int64_t max_tokens, int64_t tokens,
                                  DType dtype)
    : heads_(heads),
      query_width_(heads.query * heads.head_dim),
      kv_width_(heads.kv * heads.head_dim),
      query_key_value_(architecture.layout->query_key_value),
      softcap_(static_cast<float>(architecture.attention_softcap)),
      cache_(slots, rows, heads.kv, max_tokens, heads.head_dim),
      attention_(heads, max_tokens),
      row_wave_(static_cast<size_t>(rows)),
      fused_(query_key_value_ == QueryKeyValue::separate ? 0
                                                         : tokens * (query_width_ + 2 * kv_width_)),
      queries_(tokens * query_width_),
      keys_(tokens * kv_width_),
      values_(tokens * kv_width_),
      attended_(tokens * query_width_) {
    for (const RopeSettings& rope : architecture.ropes)
        rotary_.emplace_back(rope, max_tokens, dtype);
}

template <typename T>
void AttentionBlock<T>::plan(std::span<const Segment> segments) {
    segments_.assign(segments.begin(), segments.end());
    places_.clear();
    waves_.clear();
    std::fill(row_wave_.begin(), row_wave_.end(), 0);
    for (size_t i = 0; i < segments.size(); ++i) {
        const Segment& segment = segments[i];
        size_t& seen_in = row_wave_.at(static_cast<size_t>(segment.row));
        const auto token = static_cast<int64_t>(places_.size());
        if (waves_.empty() || seen_in == waves_.size()) waves_.push_back({i, i, token, token});
        seen_in = waves_.size();
        for (int64_t t = 0; t < segment.count; ++t)
            places_.push_back({segment.row, segment.position + t});
        waves_.back().last_segment = i + 1;
        waves_.back().last_token = static_cast<int64_t>(places_.size());
    }
}

template <typename T>
void AttentionBlock<T>::run(const LayerWeights<T>& layer, const LayerSettings& settings,
                            int64_t slot, const T* normed) {
    const RotaryTable* rotary =
        settings.rope < 0 ? nullptr : &rotary_[static_cast<size_t>(settings.rope)];
    const AttentionSettings how{static_cast<float>(settings.attention_scale), settings.window,
                                softcap_};
    project(layer, normed);
    prepare_queries(layer, rotary);
    for (const Wave& wave : waves_) {
        store_keys_and_values(wave, layer, rotary, slot);
        attention_.run(std::span(segments_).subspan(wave.first_segment,
                                                    wave.last_segment - wave.first_segment),
                       queries_.data() + wave.first_token * query_width_, cache_, slot, how,
                       attended_.data() + wave.first_token * query_width_);
    }
}

template <typename T>
void AttentionBlock<T>::project(const LayerWeights<T>& layer, const T* normed) {
    const auto rows = static_cast<int64_t>(places_.size());
    if (layer.query_key_value.weight == nullptr) {
        multiply<T>(normed, rows,
                    std::array<Product<T>, 3>{{{layer.query, queries_.data()},
                                               {layer.key, keys_.data()},
                                               {layer.value, values_.data()}}});
        return;
    }
    linear(layer.query_key_value, normed, rows, fused_.data());
    split_heads(query_key_value_);
}

/// Takes queries, keys and values apart that one product made.
template <typename T>
void AttentionBlock<T>::split_heads(QueryKeyValue kind) {
    const int64_t width = query_width_ + 2 * kv_width_;
    const int64_t dim = heads_.head_dim;
    const auto copy = [](T* target, const T* source, int64_t count) {
        std::memcpy(target, source, static_cast<size_t>(count) * sizeof(T));
    };
    for_each_row(static_cast<int64_t>(places_.size()), width, [&](int64_t token) {
        const T* source = fused_.data() + token * width;
        T* query = queries_.data() + token * query_width_;
        T* key = keys_.data() + token * kv_width_;
        T* value = values_.data() + token * kv_width_;
        if (kind == QueryKeyValue::blocks) {
            copy(query, source, query_width_);
            copy(key, source + query_width_, kv_width_);
            copy(value, source + query_width_ + kv_width_, kv_width_);
            return;
        }
        for (int64_t head = 0; head < heads_.query; ++head, source += 3 * dim) {
            copy(query + head * dim, source, dim);
            copy(key + head * dim, source + dim, dim);
            copy(value + head * dim, source + 2 * dim, dim);
        }
    });
}

template <typename T>
void AttentionBlock<T>::prepare_queries(const LayerWeights<T>& layer, const RotaryTable* rotary) {
    const int64_t dim = heads_.head_dim;
    const bool normed = layer.query_norm.weight != nullptr;
    if (!normed && rotary == nullptr) return;
    for_each_row(static_cast<int64_t>(places_.size()), query_width_, [&](int64_t token) {
        T* queries = queries_.data() + token * query_width_;
        for (int64_t head = 0; head < heads_.query && normed; ++head)
            kernels_.add_norm(queries + head * dim, nullptr, layer.query_norm, queries + head * dim,
                              dim);
        if (rotary != nullptr)
            kernels_.rotate(queries, heads_.query, dim, rotary->rotary_dim(),
                            rotary->cosines(position(token)), rotary->sines(position(token)));
    });
}

template <typename T>
void AttentionBlock<T>::store_keys_and_values(const Wave& wave, const LayerWeights<T>& layer,
                                              const RotaryTable* rotary, int64_t slot) {
    const int64_t dim = heads_.head_dim;
    const size_t bytes = static_cast<size_t>(dim) * sizeof(T);
    for_each_row(wave.last_token - wave.first_token, 2 * kv_width_, [&](int64_t index) {
        const int64_t token = wave.first_token + index;
        const Place& place = places_[static_cast<size_t>(token)];
        for (int64_t head = 0; head < heads_.kv; ++head) {
            const int64_t source = (token * heads_.kv + head) * dim;
            T* key = cache_.keys(slot, place.row, head) + place.position * dim;
            std::memcpy(key, keys_.data() + source, bytes);
            if (layer.key_norm.weight != nullptr)
                kernels_.add_norm(key, nullptr, layer.key_norm, key, dim);
            if (rotary != nullptr)
                kernels_.rotate(key, 1, dim, rotary->rotary_dim(), rotary->cosines(place.position),
                                rotary->sines(place.position));
            std::memcpy(cache_.values(slot, place.row, head) + place.position * dim,
                        values_.data() + source, bytes);
        }
    });
}

template <typename T>
void AttentionBlock<T>::keep(std::span<const int32_t> wanted) {
    T* target = attended_.data();
    for (const int32_t token : wanted) {
        std::memmove(target, attended_.data() + token * query_width_,
                     static_cast<size_t>(query_width_) * sizeof(T));
        target += query_width_;
    }
}

template class AttentionBlock<float>;
template class AttentionBlock<Bf16>;

}  // namespace galapagos
