#include "model/cuda/device_pass.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "model/arena_check.hpp"
#include "model/cuda/device_weights.hpp"
#include "model/cuda/pass_attention.hpp"
#include "model/cuda/pass_feed_forward.hpp"
#include "model/cuda/pass_head.hpp"

namespace galapagos::cuda {
namespace {

/// What the host tells the device about a run, in one copy of a fixed size.
class StepInputs {
  public:
    explicit StepInputs(std::int64_t tokens)
        : tokens_(static_cast<std::size_t>(tokens)), host_(tokens_ * row_bytes) {}

    void add_to(PassMemory& memory) {
        memory.add(device_, static_cast<std::int64_t>(host_.size()));
    }

    template <typename T>
    void copy(std::span<const Place> places, std::span<const TokenTile> tiles,
              std::span<const std::int32_t> tokens, std::span<const std::int32_t> wanted,
              DeviceWork<T>& work) {
        put(std::as_bytes(places), places_at());
        put(std::as_bytes(tiles), tiles_at());
        put(std::as_bytes(tokens), tokens_at());
        put(std::as_bytes(wanted), wanted_at());
        work.copy_in(host_.data(), host_.size(), device_);
    }

    const Place* places() const { return reinterpret_cast<const Place*>(device_ + places_at()); }
    const TokenTile* tiles() const {
        return reinterpret_cast<const TokenTile*>(device_ + tiles_at());
    }
    const std::int32_t* tokens() const {
        return reinterpret_cast<const std::int32_t*>(device_ + tokens_at());
    }
    const std::int32_t* wanted() const {
        return reinterpret_cast<const std::int32_t*>(device_ + wanted_at());
    }

  private:
    static constexpr std::size_t row_bytes =
        sizeof(Place) + sizeof(TokenTile) + 2 * sizeof(std::int32_t);
    std::size_t places_at() const { return 0; }
    std::size_t tiles_at() const { return tokens_ * sizeof(Place); }
    std::size_t tokens_at() const { return tiles_at() + tokens_ * sizeof(TokenTile); }
    std::size_t wanted_at() const { return tokens_at() + tokens_ * sizeof(std::int32_t); }
    void put(std::span<const std::byte> bytes, std::size_t at) {
        if (!bytes.empty()) std::memcpy(host_.data() + at, bytes.data(), bytes.size());
    }

    std::size_t tokens_;
    std::vector<std::byte> host_;
    std::byte* device_ = nullptr;
};

template <typename T>
class DevicePass final : public ForwardPass {
  public:
    DevicePass(const Architecture& architecture, const Sharding& sharding, const Arena& arena,
               const std::byte* device_weights, DeviceWork<T>& work, TensorGroup& group,
               const DecoderOptions& options, const LayerRoute& route)
        : architecture_(architecture),
          most_hops_(std::max(static_cast<std::int64_t>(route.hops.size()), options.max_hops)),
          context_{work, group, options.reductions, {}, true, nullptr},
          weights_(
              ArenaCopy(arena, device_weights)
                  .moved(WeightBinder<T>(architecture_, heads_of(sharding, architecture), arena)
                             .bind())),
          vocabulary_{sharding.vocab_begin(), sharding.vocab_end()},
          tokens_(std::max(options.batch_tokens, options.max_batch)),
          inputs_(tokens_),
          attention_(context_, architecture, heads_of(sharding, architecture), most_hops_,
                     options.max_batch, options.max_tokens, tokens_),
          feed_forward_(context_, architecture,
                        sharding.intermediate_end() - sharding.intermediate_begin(), tokens_),
          head_(context_, weights_.head, vocabulary_, architecture.logit_softcap, tokens_) {
        set_route(route);
        reserve(sharding.size());
        attention_.copy_tables(options.dtype);
        if (architecture.scaled_embeddings)
            embedding_scale_ =
                rounded<T>(static_cast<float>(std::sqrt(static_cast<double>(architecture.hidden))));
    }

    void set_route(const LayerRoute& route) override {
        check_route(route, architecture_.layers, most_hops_);
        if (route == route_) return;
        route_ = route;
        context_.work.forget_steps();
    }

    void run(std::span<const int32_t> tokens, std::span<const Segment> segments,
             std::span<const int32_t> wanted) override {
        attention_.plan(segments);
        inputs_.copy(attention_.places(), attention_.tiles(), tokens, wanted, context_.work);
        stream_ = buffers_.stream;
        normed_ = buffers_.normed;
        kept_ = static_cast<std::int64_t>(wanted.size());
        const auto rows = static_cast<std::int64_t>(tokens.size());
        const std::optional<StepShape> step = attention_.step();
        context_.may_wait = !step || kept_ != rows;
        if (!context_.may_wait)
            context_.work.replay(*step, [&] { queue(rows); });
        else
            queue(rows);
    }

    void answer(std::span<const HeadQuery> queries, std::span<HeadAnswer> answers) override {
        head_.answer(normed_, queries, answers);
    }

    void logits(float* output) override {
        head_.logits(normed_, kept_, architecture_.vocabulary, output);
    }

  private:
    struct Buffers {
        T *stream = nullptr, *normed = nullptr, *delta = nullptr;
        T* mlp_delta = nullptr;  ///< where attention's share waits in delta
    };

    void reserve(std::int64_t ranks) {
        const std::int64_t size = tokens_ * architecture_.hidden;
        PassMemory& memory = context_.memory;
        inputs_.add_to(memory);
        for (T** buffer : {&buffers_.stream, &buffers_.normed, &buffers_.delta})
            memory.add(*buffer, size);
        if (architecture_.parallel_residual) memory.add(buffers_.mlp_delta, size);
        if (ranks > 1 || architecture_.experts > 0) context_.add_shares(ranks, size);
        memory.place(context_.work.reserve(memory.bytes()));
    }

    /// Everything between the tokens and the final hidden states of those wanted.
    void queue(std::int64_t rows) {
        embed(rows);
        const T* delta = nullptr;
        for (std::size_t hop = 0; hop < route_.hops.size(); ++hop) {
            const bool final_hop = hop + 1 == route_.hops.size();
            rows = run_layer(hop, delta, rows, final_hop ? kept_ : rows);
            delta = buffers_.delta;
        }
        normalise(rows, delta, weights_.final_norm);
    }

    void embed(std::int64_t rows) {
        EmbedTokens<T> job;
        job.rows = rows;
        job.width = architecture_.hidden;
        job.tokens = inputs_.tokens();
        job.table = weights_.embedding;
        job.first_id = vocabulary_.begin;
        job.ids = vocabulary_.size();
        job.stream = stream_;
        job.scale = embedding_scale_;
        job.positions = weights_.positions;
        job.places = inputs_.places();
        if (context_.group.size() > 1) {
            job.own_share = context_.own_share(rows * job.width);
            context_.work.run(job);
            job.own_share = nullptr;
            job.shares = context_.join_shares(rows * job.width);
        }
        context_.work.run(job);
    }

    NormRows<T> norm_job(std::int64_t rows, T* residual, const T* delta, T* normed,
                         const Norm<T>& norm) const {
        NormRows<T> job;
        job.residual = residual;
        job.delta = delta;
        job.normed = normed;
        job.norm = norm;
        job.rows = rows;
        job.width = architecture_.hidden;
        return job;
    }

    void normalise(std::int64_t rows, const T* delta, const Norm<T>& norm) {
        context_.work.run(norm_job(rows, stream_, delta, normed_, norm));
    }

    /// The same before a layer runs, with its hop's scale.
    void enter(float scale, std::int64_t rows, const T* delta, const Norm<T>& norm) {
        NormRows<T> job = norm_job(rows, stream_, delta, normed_, norm);
        if (scale != 1)
            job.scaled = delta != nullptr && route_.rule == ScaleRule::branch ? Scaled::delta
                                                                              : Scaled::stream;
        job.scale = scale;
        context_.work.run(job);
    }

    /// Normalises the delta itself, in architectures that do.
    void normalise_delta(std::int64_t rows, const Norm<T>& norm) {
        if (norm.weight != nullptr)
            context_.work.run(norm_job(rows, buffers_.delta, nullptr, buffers_.delta, norm));
    }

    /// The layer of one hop, with the cache of that hop; leaves what it adds to the stream in the
    /// delta. Fewer `rows_after`: only the wanted tokens go on after attention.
    std::int64_t run_layer(std::size_t hop, const T* delta, std::int64_t rows,
                           std::int64_t rows_after) {
        const auto [slot, scale] = route_.hops[hop];
        const LayerWeights<T>& layer = weights_.layers[static_cast<std::size_t>(slot)];
        enter(scale, rows, delta, layer.attention_norm);
        attention_.run(layer, architecture_.layer_settings[static_cast<std::size_t>(slot)],
                       static_cast<std::int64_t>(hop), normed_, inputs_.places(), inputs_.tiles());
        if (rows_after < rows) keep_wanted(rows_after);
        context_.sliced_linear(layer.attention_output, attention_.attended(), rows_after,
                               buffers_.delta);
        normalise_delta(rows_after, layer.attention_post_norm);
        if (architecture_.parallel_residual) {
            normalise(rows_after, nullptr, layer.mlp_norm);
            feed_forward_.run(layer, normed_, rows_after, buffers_.mlp_delta);
            context_.work.run(AddRows<T>{{rows_after, architecture_.hidden},
                                         buffers_.mlp_delta,
                                         buffers_.delta,
                                         buffers_.delta});
            return rows_after;
        }
        normalise(rows_after, buffers_.delta, layer.mlp_norm);
        feed_forward_.run(layer, normed_, rows_after, buffers_.delta);
        normalise_delta(rows_after, layer.mlp_post_norm);
        return rows_after;
    }

    /// After the last attention only the wanted tokens matter. The stream changes places with the
    /// norm's output, which attention has read.
    void keep_wanted(std::int64_t count) {
        attention_.keep(inputs_.wanted(), count);
        context_.work.run(
            GatherRows<T>{{count, architecture_.hidden}, stream_, inputs_.wanted(), normed_});
        std::swap(stream_, normed_);
    }

    Architecture architecture_;
    LayerRoute route_;
    std::int64_t most_hops_;  ///< caches there are
    PassContext<T> context_;
    ModelWeights<T> weights_;
    Range vocabulary_;
    std::int64_t tokens_;  ///< the most in one pass
    StepInputs inputs_;
    PassAttention<T> attention_;
    PassFeedForward<T> feed_forward_;
    PassHead<T> head_;
    Buffers buffers_;
    T *stream_ = nullptr, *normed_ = nullptr;  ///< of the current run
    float embedding_scale_ = 1;
    std::int64_t kept_ = 0;
};

}  // namespace

template <typename T>
std::unique_ptr<ForwardPass> make_device_pass(const Architecture& architecture,
                                              const Sharding& sharding, const Arena& weights,
                                              const std::byte* device_weights, DeviceWork<T>& work,
                                              TensorGroup& group, const DecoderOptions& options,
                                              const LayerRoute& route) {
    check_arena(weights, arena_specs(architecture, sharding, options.dtype));
    return std::make_unique<DevicePass<T>>(architecture, sharding, weights, device_weights, work,
                                           group, options, route);
}

template std::unique_ptr<ForwardPass> make_device_pass<float>(const Architecture&, const Sharding&,
                                                              const Arena&, const std::byte*,
                                                              DeviceWork<float>&, TensorGroup&,
                                                              const DecoderOptions&,
                                                              const LayerRoute&);
template std::unique_ptr<ForwardPass> make_device_pass<Bf16>(const Architecture&, const Sharding&,
                                                             const Arena&, const std::byte*,
                                                             DeviceWork<Bf16>&, TensorGroup&,
                                                             const DecoderOptions&,
                                                             const LayerRoute&);

}  // namespace galapagos::cuda
