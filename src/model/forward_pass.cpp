#include "model/forward_pass.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "model/arena_check.hpp"
#include "model/attention_block.hpp"
#include "model/feed_forward.hpp"
#include "model/for_each_row.hpp"
#include "model/layer_weights.hpp"
#include "model/rank_sum.hpp"

namespace galapagos {
namespace {

template <typename T>
class DecoderPass final : public ForwardPass {
  public:
    DecoderPass(const Architecture& architecture, const Sharding& sharding, const Arena& weights,
                TensorGroup& group, const DecoderOptions& options, const LayerRoute& route)
        : architecture_(architecture),
          most_hops_(std::max(static_cast<int64_t>(route.hops.size()), options.max_hops)),
          group_(group),
          weights_(
              WeightBinder<T>(architecture_, heads_of(sharding, architecture), weights).bind()),
          vocabulary_{sharding.vocab_begin(), sharding.vocab_end()},
          tokens_(std::max(options.batch_tokens, options.max_batch)),
          sum_(group,
               group.size() > 1 || architecture.experts > 0 ? tokens_ * architecture.hidden : 0),
          attention_(architecture, heads_of(sharding, architecture), most_hops_, options.max_batch,
                     options.max_tokens, tokens_, options.dtype),
          feed_forward_(architecture, sharding.intermediate_end() - sharding.intermediate_begin(),
                        tokens_, sum_),
          head_(weights_.head, vocabulary_, architecture.logit_softcap, group) {
        set_route(route);
        residual_ = Buffer<T>(tokens_ * architecture.hidden);
        delta_ = Buffer<T>(tokens_ * architecture.hidden);
        normed_ = Buffer<T>(tokens_ * architecture.hidden);
        if (architecture.parallel_residual) mlp_delta_ = Buffer<T>(tokens_ * architecture.hidden);
        if (architecture.scaled_embeddings) {
            const auto scale =
                static_cast<float>(std::sqrt(static_cast<double>(architecture.hidden)));
            T rounded;
            kernels_.round_sum(&scale, nullptr, &rounded, 1);
            kernels_.widen(&rounded, &embedding_scale_, 1);
        }
    }

    void set_route(const LayerRoute& route) override {
        check_route(route, architecture_.layers, most_hops_);
        route_ = route;
    }

    void run(std::span<const int32_t> tokens, std::span<const Segment> segments,
             std::span<const int32_t> wanted) override {
        attention_.plan(segments);
        embed(tokens);
        auto rows = static_cast<int64_t>(tokens.size());
        T* delta = nullptr;
        const auto hops = static_cast<int64_t>(route_.hops.size());
        for (int64_t hop = 0; hop < hops; ++hop) {
            rows = run_layer(hop, delta, rows, hop + 1 == hops ? &wanted : nullptr);
            delta = delta_.data();
        }
        normalise(rows, delta, weights_.final_norm);
        kept_ = rows;
    }

    void answer(std::span<const HeadQuery> queries, std::span<HeadAnswer> answers) override {
        head_.answer(normed_.data(), queries, answers);
    }

    void logits(float* output) override {
        head_.logits(normed_.data(), kept_, architecture_.vocabulary, output);
    }

  private:
    /// Each rank looks up the ids of its vocabulary slice; the sum over ranks has one term that
    /// isn't zero, so it is exact.
    void embed(std::span<const int32_t> tokens) {
        const int64_t hidden = architecture_.hidden;
        const auto rows = static_cast<int64_t>(tokens.size());
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t id = tokens[static_cast<size_t>(row)];
            const T* source = weights_.embedding + (id - vocabulary_.begin) * hidden;
            const bool own = id >= vocabulary_.begin && id < vocabulary_.end;
            if (group_.size() == 1)
                std::memcpy(residual_.data() + row * hidden, source,
                            static_cast<size_t>(hidden) * sizeof(T));
            else if (own)
                kernels_.widen(source, sum_.partial() + row * hidden, hidden);
            else
                std::fill_n(sum_.partial() + row * hidden, hidden, 0.0F);
        }
        if (group_.size() > 1) sum_.finish(rows, hidden, nullptr, residual_.data());
        if (embedding_scale_ != 1)
            kernels_.scale(residual_.data(), rows * hidden, embedding_scale_);
        if (weights_.positions == nullptr) return;
        for (int64_t row = 0; row < rows; ++row) {
            T* state = residual_.data() + row * hidden;
            kernels_.add(state, weights_.positions + attention_.position(row) * hidden, state,
                         hidden);
        }
    }

    /// Adds `delta` (unless null) to the residual stream and leaves the stream's norm in normed_.
    void normalise(int64_t rows, const T* delta, const Norm<T>& norm) {
        const int64_t hidden = architecture_.hidden;
        for_each_row(rows, hidden, [&](int64_t row) {
            kernels_.add_norm(residual_.data() + row * hidden,
                              delta == nullptr ? nullptr : delta + row * hidden, norm,
                              normed_.data() + row * hidden, hidden);
        });
    }

    /// The same before a layer runs, with its hop's scale.
    void enter(float scale, int64_t rows, T* delta, const Norm<T>& norm) {
        if (scale == 1) return normalise(rows, delta, norm);
        const int64_t hidden = architecture_.hidden;
        const bool only_delta = delta != nullptr && route_.rule == ScaleRule::branch;
        for_each_row(rows, hidden, [&](int64_t row) {
            T* state = residual_.data() + row * hidden;
            T* added = delta == nullptr ? nullptr : delta + row * hidden;
            if (!only_delta && added != nullptr) kernels_.add(state, added, state, hidden);
            kernels_.scale(only_delta ? added : state, hidden, scale);
            kernels_.add_norm(state, only_delta ? added : nullptr, norm,
                              normed_.data() + row * hidden, hidden);
        });
    }

    /// Normalises delta_ itself, in architectures that do.
    void normalise_delta(int64_t rows, const Norm<T>& norm) {
        if (norm.weight == nullptr) return;
        const int64_t hidden = architecture_.hidden;
        for_each_row(rows, hidden, [&](int64_t row) {
            T* delta = delta_.data() + row * hidden;
            kernels_.add_norm(delta, nullptr, norm, delta, hidden);
        });
    }

    /// The layer of one hop, with the cache of that hop: takes what the hop before adds to the
    /// residual stream, leaves what this one adds in delta_. With `wanted` only those tokens go on
    /// after attention. Returns the number of tokens that did.
    int64_t run_layer(int64_t hop, T* delta, int64_t rows, const std::span<const int32_t>* wanted) {
        const auto [slot, scale] = route_.hops[static_cast<size_t>(hop)];
        const LayerWeights<T>& layer = weights_.layers[static_cast<size_t>(slot)];
        enter(scale, rows, delta, layer.attention_norm);
        attention_.run(layer, architecture_.layer_settings[static_cast<size_t>(slot)], hop,
                       normed_.data());
        if (wanted != nullptr) rows = keep(*wanted);
        sum_.linear(layer.attention_output, attention_.attended(), rows, delta_.data());
        normalise_delta(rows, layer.attention_post_norm);
        if (architecture_.parallel_residual) {
            normalise(rows, nullptr, layer.mlp_norm);
            feed_forward_.run(layer, normed_.data(), rows, mlp_delta_.data());
            kernels_.add(mlp_delta_.data(), delta_.data(), delta_.data(),
                         rows * architecture_.hidden);
            return rows;
        }
        normalise(rows, delta_.data(), layer.mlp_norm);
        feed_forward_.run(layer, normed_.data(), rows, delta_.data());
        normalise_delta(rows, layer.mlp_post_norm);
        return rows;
    }

    /// After the last attention only the wanted tokens matter: moves them to the front.
    int64_t keep(std::span<const int32_t> wanted) {
        const int64_t hidden = architecture_.hidden;
        attention_.keep(wanted);
        int64_t target = 0;
        for (const int32_t token : wanted)
            std::memmove(residual_.data() + target++ * hidden, residual_.data() + token * hidden,
                         static_cast<size_t>(hidden) * sizeof(T));
        return target;
    }

    const RowKernels<T>& kernels_ = row_kernels<T>();
    Architecture architecture_;
    LayerRoute route_;
    int64_t most_hops_;  ///< caches there are
    TensorGroup& group_;
    ModelWeights<T> weights_;
    Range vocabulary_;
    int64_t tokens_;  ///< the most in one pass
    RankSum<T> sum_;
    AttentionBlock<T> attention_;
    FeedForward<T> feed_forward_;
    OutputHead<T> head_;
    float embedding_scale_ = 1;
    int64_t kept_ = 0;
    Buffer<T> residual_, delta_, normed_;
    Buffer<T> mlp_delta_;  ///< where attention's share waits in delta_
};

}  // namespace

std::unique_ptr<ForwardPass> make_forward_pass(const Architecture& architecture,
                                               const Sharding& sharding, const Arena& weights,
                                               TensorGroup& group, const DecoderOptions& options,
                                               const LayerRoute& route) {
    check_arena(weights, arena_specs(architecture, sharding, options.dtype));
    if (options.dtype == DType::f32)
        return std::make_unique<DecoderPass<float>>(architecture, sharding, weights, group, options,
                                                    route);
    if (options.dtype == DType::bf16)
        return std::make_unique<DecoderPass<Bf16>>(architecture, sharding, weights, group, options,
                                                   route);
    throw Error("Cannot decode in " + std::string(torch_name_of(options.dtype)),
                "only float32 and bfloat16 are supported on the CPU");
}

}  // namespace galapagos
