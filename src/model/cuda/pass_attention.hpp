#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/attention.hpp"
#include "model/cuda/pass_context.hpp"
#include "model/layer_weights.hpp"
#include "model/rotary.hpp"

namespace galapagos::cuda {

/// The first half of a layer on the device, up to the output projection: AttentionBlock's twin.
template <typename T>
class PassAttention {
  public:
    /// `slots`: independent caches, one a hop. `tokens`: the most in one pass.
    PassAttention(PassContext<T>& context, const Architecture& architecture,
                  const HeadCounts& heads, std::int64_t slots, std::int64_t rows,
                  std::int64_t max_tokens, std::int64_t tokens);

    /// Once the context's memory has its place.
    void copy_tables(DType dtype);

    /// Notes where the tokens of the next passes lie, the second part's after the first's. A later
    /// segment may overwrite positions of an earlier one's row.
    void plan(std::span<const Segment> segments, std::span<const Segment> second_part = {});
    /// What the device must know of the plan.
    const std::vector<Place>& places() const { return places_; }
    const std::vector<TokenTile>& tiles() const { return tiles_; }
    /// What jobs depend on if every token of the plan goes on with a row of its own.
    std::optional<StepShape> step() const;

    /// Attends from `normed` [the part's tokens, hidden]; `places` and `tiles`: those of the plan,
    /// on the device. Keys and values go to the slot's cache.
    void run(const LayerWeights<T>& layer, const LayerSettings& settings, std::int64_t slot,
             const PassPart& part, const T* normed, const Place* places, const TokenTile* tiles);

    /// Leaves the answers of some rows (on the device, ascending) alone in `attended`.
    void keep(const std::int32_t* wanted, std::int64_t count);

    /// What was found for a part's tokens, or those kept: [rows, this rank's query heads *
    /// head_dim].
    const T* attended(const PassPart& part) const {
        return (kept_ ? queries_ : attended_) + part.first * query_width_;
    }

  private:
    /// Neighbouring tokens that attend one by one. Those of segments of one token may share out
    /// their positions to several blocks: which do depends on the segment alone.
    struct Singles {
        std::int64_t first_token, last_token;
        bool stretched;
    };
    /// Segments whose cache rows are distinct: their tokens, those of `singles_`, and `tiles_`.
    struct Wave {
        std::int64_t first_token, last_token;
        std::size_t first_singles, last_singles;
        std::size_t first_tile, last_tile;
    };
    /// Angles of one rotary embedding on the device.
    struct Rotation {
        float* cosines = nullptr;
        float* sines = nullptr;
    };

    void plan_part(std::span<const Segment> segments);
    void add_to_wave(const Segment& segment, Wave& wave);
    AttendTokens<T> attending(const LayerSettings& settings) const;
    void attend_singles(AttendTokens<T> job, const Singles& singles);
    std::int64_t stretches_of(std::int64_t positions) const;
    /// Where products leave a part's queries, keys and values: one after the other, or fused.
    T* projected(const PassPart& part) const {
        return projected_ + part.first * (query_width_ + 2 * kv_width_);
    }
    void project(const LayerWeights<T>& layer, const PassPart& part, const T* normed);
    PlaceHeads<T> placing(const LayerWeights<T>& layer, const LayerSettings& settings,
                          const PassPart& part) const;
    CacheSlot<T> cache_of(std::int64_t slot) const;

    PassContext<T>& context_;
    HeadCounts heads_;
    std::int64_t query_width_, kv_width_, rows_, max_tokens_;
    QueryKeyValue query_key_value_;
    float softcap_;
    std::vector<RopeSettings> ropes_;
    std::vector<Rotation> rotations_;
    std::vector<Place> places_;
    std::vector<TokenTile> tiles_;
    std::vector<Singles> singles_;
    std::vector<Wave> waves_;
    std::size_t second_waves_ = 0;       ///< where the second part's begin
    std::vector<std::size_t> row_wave_;  ///< number of the last wave that holds each cache row
    bool kept_ = false;
    T *keys_ = nullptr, *values_ = nullptr;  ///< [hop][row][kv head][position][head_dim]
    T* projected_ = nullptr;                 ///< queries, keys and values as products leave them
    T *queries_ = nullptr, *attended_ = nullptr;
    Stretches stretches_;
    std::int64_t most_stretches_;
};

}  // namespace galapagos::cuda
