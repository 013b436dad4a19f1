#include "model/cuda/pass_attention.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

namespace galapagos::cuda {
namespace {

/// Positions that a block takes of one token's: few enough that a small batch keeps a GPU busy, so
/// many that putting them together is little work.
std::int64_t stretch_of(std::int64_t max_tokens) {
    constexpr std::int64_t least = 256, most_stretches = 16, tile = 64;
    const std::int64_t length = (max_tokens + most_stretches - 1) / most_stretches;
    return std::max(least, (length + tile - 1) / tile * tile);
}

}  // namespace

template <typename T>
PassAttention<T>::PassAttention(PassContext<T>& context, const Architecture& architecture,
                                const HeadCounts& heads, std::int64_t slots, std::int64_t rows,
                                std::int64_t max_tokens, std::int64_t tokens)
    : context_(context),
      heads_(heads),
      query_width_(heads.query * heads.head_dim),
      kv_width_(heads.kv * heads.head_dim),
      rows_(rows),
      max_tokens_(max_tokens),
      query_key_value_(architecture.layout->query_key_value),
      softcap_(static_cast<float>(architecture.attention_softcap)),
      ropes_(architecture.ropes),
      rotations_(architecture.ropes.size()),
      row_wave_(static_cast<std::size_t>(rows)) {
    PassMemory& memory = context.memory;
    const std::int64_t cached = slots * rows * kv_width_ * max_tokens;
    memory.add(keys_, cached);
    memory.add(values_, cached);
    memory.add(projected_, tokens * (query_width_ + 2 * kv_width_));
    memory.add(queries_, tokens * query_width_);
    memory.add(attended_, tokens * query_width_);
    stretches_.length = stretch_of(max_tokens);
    most_stretches_ = (max_tokens + stretches_.length - 1) / stretches_.length;
    if (most_stretches_ > 1) {
        memory.add(stretches_.sums, rows * query_width_ * most_stretches_);
        memory.add(stretches_.maxima, rows * heads.query * most_stretches_);
        memory.add(stretches_.normalisers, rows * heads.query * most_stretches_);
    }
    for (std::size_t i = 0; i < ropes_.size(); ++i) {
        memory.add(rotations_[i].cosines, max_tokens * (ropes_[i].rotary_dim / 2));
        memory.add(rotations_[i].sines, max_tokens * (ropes_[i].rotary_dim / 2));
    }
    places_.reserve(static_cast<std::size_t>(tokens));
}

template <typename T>
void PassAttention<T>::copy_tables(DType dtype) {
    for (std::size_t i = 0; i < ropes_.size(); ++i) {
        const RotaryTable table(ropes_[i], max_tokens_, dtype);
        const auto bytes =
            static_cast<std::size_t>(max_tokens_ * (table.rotary_dim() / 2)) * sizeof(float);
        context_.work.copy_in(table.cosines(0), bytes, rotations_[i].cosines);
        context_.work.copy_in(table.sines(0), bytes, rotations_[i].sines);
    }
}

template <typename T>
void PassAttention<T>::plan(std::span<const Segment> segments,
                            std::span<const Segment> second_part) {
    kept_ = false;
    places_.clear();
    tiles_.clear();
    singles_.clear();
    waves_.clear();
    plan_part(segments);
    second_waves_ = waves_.size();
    plan_part(second_part);
}

/// The part begins with a wave of its own.
template <typename T>
void PassAttention<T>::plan_part(std::span<const Segment> segments) {
    const std::size_t earlier = waves_.size();
    std::fill(row_wave_.begin(), row_wave_.end(), earlier);
    for (const Segment& segment : segments) {
        std::size_t& seen_in = row_wave_.at(static_cast<std::size_t>(segment.row));
        const auto token = static_cast<std::int64_t>(places_.size());
        if (seen_in == waves_.size())
            waves_.push_back(
                {token, token, singles_.size(), singles_.size(), tiles_.size(), tiles_.size()});
        seen_in = waves_.size();
        add_to_wave(segment, waves_.back());
    }
}

template <typename T>
void PassAttention<T>::add_to_wave(const Segment& segment, Wave& wave) {
    const auto token = static_cast<std::int64_t>(places_.size());
    for (std::int64_t t = 0; t < segment.count; ++t)
        places_.push_back({static_cast<std::int32_t>(segment.row),
                           static_cast<std::int32_t>(segment.position + t)});
    wave.last_token = token + segment.count;
    if (std::is_same_v<T, Bf16> && heads_.head_dim <= widest_tiled_head &&
        segment.count >= fewest_tiled_tokens) {
        for (std::int64_t t = 0; t < segment.count; t += tile_tokens)
            tiles_.push_back({static_cast<std::int32_t>(token + t),
                              static_cast<std::int32_t>(
                                  std::min<std::int64_t>(tile_tokens, segment.count - t))});
        wave.last_tile = tiles_.size();
        return;
    }
    const bool stretched = segment.count == 1;
    if (wave.first_singles < wave.last_singles && singles_.back().last_token == token &&
        singles_.back().stretched == stretched)
        singles_.back().last_token = wave.last_token;
    else
        singles_.push_back({token, wave.last_token, stretched});
    wave.last_singles = singles_.size();
}

template <typename T>
void PassAttention<T>::run(const LayerWeights<T>& layer, const LayerSettings& settings,
                           std::int64_t slot, const PassPart& part, const T* normed,
                           const Place* places, const TokenTile* tiles) {
    project(layer, part, normed);
    PlaceHeads<T> placing = this->placing(layer, settings, part);
    AttendTokens<T> attending = this->attending(settings);
    placing.places = attending.places = places;
    placing.cache = attending.cache = cache_of(slot);
    const std::size_t first = part.number == 0 ? 0 : second_waves_;
    const std::size_t last = part.number == 0 ? second_waves_ : waves_.size();
    for (const Wave& wave : std::span(waves_).subspan(first, last - first)) {
        placing.first_token = wave.first_token;
        placing.tokens = wave.last_token - wave.first_token;
        context_.work.run(placing);
        for (std::size_t i = wave.first_singles; i < wave.last_singles; ++i)
            attend_singles(attending, singles_[i]);
        if constexpr (std::is_same_v<T, Bf16>)
            if (wave.first_tile < wave.last_tile)
                context_.work.run(
                    AttendTiles{attending, tiles + wave.first_tile,
                                static_cast<std::int64_t>(wave.last_tile - wave.first_tile)});
    }
}

template <typename T>
void PassAttention<T>::attend_singles(AttendTokens<T> job, const Singles& singles) {
    job.first_token = singles.first_token;
    job.tokens = singles.last_token - singles.first_token;
    if (!singles.stretched) return context_.work.run(job);
    std::int64_t longest = 0;
    for (std::int64_t token = singles.first_token; token < singles.last_token; ++token) {
        const Visible seen = visible_at(job, places_[static_cast<std::size_t>(token)]);
        longest = std::max(longest, seen.end - seen.begin);
    }
    const std::int64_t stretches = stretches_of(longest);
    if (stretches == 1) return context_.work.run(job);
    job.stretches = stretches_;
    job.stretches.count = static_cast<int>(stretches);
    context_.work.run(job);
    context_.work.run(JoinStretches<T>(job));
}

/// Of a row that sees this many positions. Powers of two, so that rows that grow take few shapes.
template <typename T>
std::int64_t PassAttention<T>::stretches_of(std::int64_t positions) const {
    const auto needed =
        static_cast<std::uint64_t>((positions + stretches_.length - 1) / stretches_.length);
    return std::min(static_cast<std::int64_t>(std::bit_ceil(needed)), most_stretches_);
}

/// Layers with a window take the window's stretches, or the longest row's if these are fewer.
template <typename T>
std::optional<StepShape> PassAttention<T>::step() const {
    const bool one_by_one = waves_.size() == 1 && singles_.size() == 1 && tiles_.empty();
    if (!one_by_one || !singles_.front().stretched) return std::nullopt;
    std::int64_t longest = 0;
    for (const Place& place : places_)
        longest = std::max(longest, std::int64_t{place.position} + 1);
    return StepShape{static_cast<std::int64_t>(places_.size()), stretches_of(longest)};
}

template <typename T>
AttendTokens<T> PassAttention<T>::attending(const LayerSettings& settings) const {
    AttendTokens<T> job;
    job.queries = queries_;
    job.output = attended_;
    job.query_heads = static_cast<int>(heads_.query);
    job.kv_heads = static_cast<int>(heads_.kv);
    job.head_dim = static_cast<int>(heads_.head_dim);
    job.scale = static_cast<float>(settings.attention_scale);
    job.softcap = softcap_;
    job.window = settings.window;
    return job;
}

template <typename T>
void PassAttention<T>::project(const LayerWeights<T>& layer, const PassPart& part,
                               const T* normed) {
    T* const queries = projected(part);
    if (layer.query_key_value.weight != nullptr)
        return context_.linear(layer.query_key_value, normed, part.rows, queries);
    T* const keys = queries + part.rows * query_width_;
    context_.multiply(normed, part.rows,
                      std::array<Product<T>, 3>{{{layer.query, queries},
                                                 {layer.key, keys},
                                                 {layer.value, keys + part.rows * kv_width_}}});
}

/// How the layer's heads come out of `projected`. Jobs count tokens from the first of the pass.
template <typename T>
PlaceHeads<T> PassAttention<T>::placing(const LayerWeights<T>& layer, const LayerSettings& settings,
                                        const PassPart& part) const {
    const std::int64_t dim = heads_.head_dim, all = query_width_ + 2 * kv_width_;
    const auto heads_at = [&](std::int64_t begin, std::int64_t token_stride,
                              std::int64_t head_stride) {
        return HeadSource<T>{projected(part) + begin - part.first * token_stride, token_stride,
                             head_stride};
    };
    PlaceHeads<T> job;
    if (layer.query_key_value.weight == nullptr) {
        job.query = heads_at(0, query_width_, dim);
        job.key = heads_at(part.rows * query_width_, kv_width_, dim);
        job.value = heads_at(part.rows * (query_width_ + kv_width_), kv_width_, dim);
    } else if (query_key_value_ == QueryKeyValue::per_head) {
        job.query = heads_at(0, all, 3 * dim);
        job.key = heads_at(dim, all, 3 * dim);
        job.value = heads_at(2 * dim, all, 3 * dim);
    } else {
        job.query = heads_at(0, all, dim);
        job.key = heads_at(query_width_, all, dim);
        job.value = heads_at(query_width_ + kv_width_, all, dim);
    }
    job.queries = queries_;
    job.query_heads = static_cast<int>(heads_.query);
    job.kv_heads = static_cast<int>(heads_.kv);
    job.head_dim = static_cast<int>(dim);
    job.query_norm = layer.query_norm;
    job.key_norm = layer.key_norm;
    if (settings.rope >= 0) {
        const auto rope = static_cast<std::size_t>(settings.rope);
        job.cosines = rotations_[rope].cosines;
        job.sines = rotations_[rope].sines;
        job.rotary_dim = static_cast<int>(ropes_[rope].rotary_dim / 2 * 2);
    }
    return job;
}

template <typename T>
CacheSlot<T> PassAttention<T>::cache_of(std::int64_t slot) const {
    const std::int64_t slab = max_tokens_ * heads_.head_dim;
    const std::int64_t row = heads_.kv * slab;
    return {keys_ + slot * rows_ * row, values_ + slot * rows_ * row, row, slab};
}

template <typename T>
void PassAttention<T>::keep(const std::int32_t* wanted, std::int64_t count) {
    context_.work.run(GatherRows<T>{{count, query_width_}, attended_, wanted, queries_});
    kept_ = true;
}

template class PassAttention<float>;
template class PassAttention<Bf16>;

}  // namespace galapagos::cuda
