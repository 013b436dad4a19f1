#include "model/cuda/device_pass.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/arena_check.hpp"
#include "model/cuda/device_weights.hpp"
#include "model/cuda/pass_attention.hpp"
#include "model/cuda/pass_feed_forward.hpp"
#include "model/cuda/pass_head.hpp"
#include "model/cuda/step_inputs.hpp"

namespace galapagos::cuda {
namespace {

template <typename T>
class DevicePass final : public ForwardPass {
  public:
    DevicePass(const Architecture& architecture, const Sharding& sharding, const Arena& arena,
               const std::byte* device_weights, DeviceWork<T>& work, TensorGroup& group,
               const DecoderOptions& options, const LayerRoute& route)
        : architecture_(architecture),
          most_hops_(std::max(static_cast<std::int64_t>(route.hops.size()), options.max_hops)),
          context_{work, group, {work, sharding.rank(), sharding.size(), options.reductions}},
          weights_(join_neighbours(
              ArenaCopy(arena, device_weights)
                  .moved(WeightBinder<T>(architecture_, heads_of(sharding, architecture), arena)
                             .bind()))),
          vocabulary_{sharding.vocab_begin(), sharding.vocab_end()},
          tokens_(std::max(options.batch_tokens, options.max_batch)),
          inputs_(tokens_),
          attention_(context_, architecture, heads_of(sharding, architecture), most_hops_,
                     options.max_batch, options.max_tokens, tokens_),
          feed_forward_(context_, architecture,
                        sharding.intermediate_end() - sharding.intermediate_begin(), tokens_),
          head_(context_, weights_.head, vocabulary_, architecture.logit_softcap, tokens_) {
        set_route(route);
        reserve();
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
        const auto rows = static_cast<std::int64_t>(tokens.size());
        context_.sums.make_beside(false);  // an error may have ended the pass before
        plan(segments, rows);
        inputs_.copy(attention_.places(), attention_.tiles(), tokens, wanted, context_.work);
        stream_ = buffers_.stream;
        normed_ = buffers_.normed;
        kept_ = static_cast<std::int64_t>(wanted.size());
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

    void reserve() {
        const std::int64_t hidden = architecture_.hidden;
        const std::int64_t in_parts = context_.sums.rows_in_parts(tokens_);
        PassMemory &memory = context_.memory, &exchanged = context_.exchanged;
        inputs_.add_to(memory);
        memory.add(buffers_.normed, tokens_ * hidden);
        exchanged.add(buffers_.stream, in_parts * hidden);
        exchanged.add(buffers_.delta, in_parts * hidden);
        if (architecture_.parallel_residual) exchanged.add(buffers_.mlp_delta, in_parts * hidden);
        context_.sums.add_to(exchanged, tokens_, hidden);
        // What ranks reserve together comes first: a rank that fails later keeps none waiting.
        exchanged.place(context_.work.reserve_exchanged(exchanged.bytes()));
        memory.place(context_.work.reserve(memory.bytes()));
    }

    /// Long passes of several ranks go in two parts.
    void plan(std::span<const Segment> segments, std::int64_t rows) {
        if (!goes_in_halves(rows, context_.group.size())) {
            attention_.plan(segments);
            parts_ = {{0, 0, rows, 0}};
            return;
        }
        const SegmentHalves halves = halve(segments);
        attention_.plan(halves.first, halves.second);
        std::int64_t first = 0;
        for (const Segment& segment : halves.first) first += segment.count;
        parts_ = {{0, 0, first, 0}, {1, first, rows - first, context_.sums.place_after(first)}};
    }

    /// Everything between the tokens and the final hidden states of those wanted. Between a part's
    /// two sums in a layer the other part is worked on.
    void queue(std::int64_t rows) {
        embed(rows);
        std::vector<PassPart> parts = parts_;
        context_.sums.make_beside(parts.size() > 1);
        const LayerWeights<T>* before = nullptr;
        for (std::size_t hop = 0; hop < route_.hops.size(); ++hop) {
            const LayerWeights<T>& layer =
                weights_.layers[static_cast<std::size_t>(route_.hops[hop].slot)];
            const bool some_rows = hop + 1 == route_.hops.size() && kept_ < rows;
            for (const PassPart& part : parts) {
                if (before != nullptr) finish_layer(*before, part);
                attend(hop, layer, before != nullptr, part);
                if (!some_rows) project(layer, part);
            }
            if (some_rows) {
                parts = keep_wanted();
                project(layer, parts.front());
            }
            for (const PassPart& part : parts) feed_forward(layer, part);
            before = &layer;
        }
        for (const PassPart& part : parts) {
            if (before != nullptr) finish_layer(*before, part);
            normalise(part, before != nullptr ? delta_of(part) : nullptr, weights_.final_norm);
        }
        context_.sums.make_beside(false);
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
        if (context_.group.size() == 1) return context_.work.run(job);
        const PassPart all{0, 0, rows, 0};
        job.own_share = context_.sums.own_share(all, job.width);
        context_.work.run(job);
        job.own_share = nullptr;
        context_.sums.finish(
            all, job.width, stream_,
            [job](const RankShares& shares, std::int64_t first, std::int64_t count) {
                return job.of_rows(shares, first, count);
            });
    }

    T* of(T* rows, const PassPart& part) const { return rows + part.first * architecture_.hidden; }
    T* delta_of(const PassPart& part) const {
        return buffers_.delta + part.place * architecture_.hidden;
    }
    T* mlp_delta_of(const PassPart& part) const {
        return buffers_.mlp_delta + part.place * architecture_.hidden;
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

    void normalise(const PassPart& part, const T* delta, const Norm<T>& norm) {
        context_.work.run(norm_job(part.rows, of(stream_, part), delta, of(normed_, part), norm));
    }

    /// Normalises the delta itself, in architectures that do.
    void normalise_delta(const PassPart& part, const Norm<T>& norm) {
        if (norm.weight == nullptr) return;
        context_.work.run(norm_job(part.rows, delta_of(part), nullptr, delta_of(part), norm));
    }

    /// The first half of the layer of one hop, with the cache of that hop, up to the output
    /// projection. Takes the hop's scale and what the layer before left in the delta, if one did.
    void attend(std::size_t hop, const LayerWeights<T>& layer, bool has_delta,
                const PassPart& part) {
        const auto [slot, scale] = route_.hops[hop];
        NormRows<T> job =
            norm_job(part.rows, of(stream_, part), has_delta ? delta_of(part) : nullptr,
                     of(normed_, part), layer.attention_norm);
        if (scale != 1)
            job.scaled =
                has_delta && route_.rule == ScaleRule::branch ? Scaled::delta : Scaled::stream;
        job.scale = scale;
        context_.work.run(job);
        attention_.run(layer, architecture_.layer_settings[static_cast<std::size_t>(slot)],
                       static_cast<std::int64_t>(hop), part, of(normed_, part), inputs_.places(),
                       inputs_.tiles());
    }

    /// The output projection, into the delta.
    void project(const LayerWeights<T>& layer, const PassPart& part) {
        context_.sliced_linear(layer.attention_output, attention_.attended(part), part,
                               delta_of(part));
    }

    /// The second half of a layer.
    void feed_forward(const LayerWeights<T>& layer, const PassPart& part) {
        context_.sums.await(part);
        normalise_delta(part, layer.attention_post_norm);
        const bool parallel = architecture_.parallel_residual;
        normalise(part, parallel ? nullptr : delta_of(part), layer.mlp_norm);
        feed_forward_.run(layer, of(normed_, part), part,
                          parallel ? mlp_delta_of(part) : delta_of(part));
    }

    /// Leaves what the layer adds to the stream in the delta.
    void finish_layer(const LayerWeights<T>& layer, const PassPart& part) {
        context_.sums.await(part);
        if (architecture_.parallel_residual)
            context_.work.run(AddRows<T>{{part.rows, architecture_.hidden},
                                         mlp_delta_of(part),
                                         delta_of(part),
                                         delta_of(part)});
        else
            normalise_delta(part, layer.mlp_post_norm);
    }

    /// After the last attention only the wanted tokens matter, all of them together. The stream
    /// changes places with the norm's output, which attention has read.
    std::vector<PassPart> keep_wanted() {
        context_.sums.make_beside(false);
        attention_.keep(inputs_.wanted(), kept_);
        context_.work.run(
            GatherRows<T>{{kept_, architecture_.hidden}, stream_, inputs_.wanted(), normed_});
        std::swap(stream_, normed_);
        return {{0, 0, kept_, 0}};
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
    std::vector<PassPart> parts_;
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
