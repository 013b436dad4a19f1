#include "model/forward_pass.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "model/kv_cache.hpp"
#include "model/layer_weights.hpp"
#include "model/rotary.hpp"

namespace galapagos {
namespace {

/// Elements of row-wise work that are worth waking another thread for.
constexpr int64_t elements_per_task = 16384;

template <typename Body>
void for_each_row(int64_t rows, int64_t width, Body&& body) {
    const int64_t grain = std::max<int64_t>(1, elements_per_task / std::max<int64_t>(1, width));
    at::parallel_for(0, rows, grain, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) body(row);
    });
}

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

template <typename T>
class LlamaPass final : public ForwardPass {
  public:
    LlamaPass(const Architecture& architecture, const Sharding& sharding, const Arena& weights,
              TensorGroup& group, const DecoderOptions& options)
        : architecture_(architecture),
          group_(group),
          weights_(WeightBinder<T>(weights).bind(architecture)),
          vocabulary_{sharding.vocab_begin(), sharding.vocab_end()},
          heads_{sharding.q_head_end() - sharding.q_head_begin(),
                 sharding.kv_head_end() - sharding.kv_head_begin(), architecture.head_dim},
          intermediate_(sharding.intermediate_end() - sharding.intermediate_begin()),
          rotary_(architecture.rope, architecture.head_dim, options.max_tokens, options.dtype),
          cache_(architecture.layers, options.max_batch, heads_.kv, options.max_tokens,
                 heads_.head_dim),
          attention_(heads_, options.max_tokens),
          head_(weights_.head, vocabulary_, group),
          row_wave_(static_cast<size_t>(options.max_batch)) {
        const int64_t tokens = std::max(options.batch_tokens, options.max_batch);
        const int64_t query_width = heads_.query * heads_.head_dim;
        const int64_t kv_width = heads_.kv * heads_.head_dim;
        residual_ = Buffer<T>(tokens * architecture.hidden);
        delta_ = Buffer<T>(tokens * architecture.hidden);
        normed_ = Buffer<T>(tokens * architecture.hidden);
        queries_ = Buffer<T>(tokens * query_width);
        attended_ = Buffer<T>(tokens * query_width);
        keys_ = Buffer<T>(tokens * kv_width);
        values_ = Buffer<T>(tokens * kv_width);
        gate_ = Buffer<T>(tokens * intermediate_);
        up_ = Buffer<T>(tokens * intermediate_);
        if (group.size() > 1) partial_ = Buffer<float>(tokens * architecture.hidden);
    }

    void run(std::span<const int32_t> tokens, std::span<const Segment> segments,
             std::span<const int32_t> wanted) override {
        plan(segments);
        embed(tokens);
        auto rows = static_cast<int64_t>(tokens.size());
        const T* delta = nullptr;
        for (int64_t hop = 0; hop < architecture_.layers; ++hop) {
            const LayerWeights<T>& layer = weights_.layers[static_cast<size_t>(hop)];
            normalise(rows, delta, layer.attention_norm);
            attend(layer, hop, segments, rows);
            if (hop + 1 == architecture_.layers) rows = keep_wanted(wanted);
            reduce_linear(layer.attention_output, attended_.data(), rows);
            normalise(rows, delta_.data(), layer.mlp_norm);
            multiply<T>(
                normed_.data(), rows,
                std::array<Product<T>, 2>{{{layer.gate, gate_.data()}, {layer.up, up_.data()}}});
            for_each_row(rows, intermediate_, [&](int64_t row) {
                kernels_.silu_multiply(gate_.data() + row * intermediate_,
                                       up_.data() + row * intermediate_, intermediate_);
            });
            reduce_linear(layer.down, gate_.data(), rows);
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
    /// Notes each token's place in the cache and cuts the segments into waves.
    void plan(std::span<const Segment> segments) {
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

    /// Each rank looks up the ids of its vocabulary slice; the sum over ranks has one term that
    /// isn't zero, so it is exact.
    void embed(std::span<const int32_t> tokens) {
        const int64_t hidden = architecture_.hidden;
        const auto rows = static_cast<int64_t>(tokens.size());
        if (group_.size() == 1) {
            for (int64_t row = 0; row < rows; ++row)
                std::memcpy(residual_.data() + row * hidden,
                            weights_.embedding + tokens[static_cast<size_t>(row)] * hidden,
                            static_cast<size_t>(hidden) * sizeof(T));
            return;
        }
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t id = tokens[static_cast<size_t>(row)];
            float* target = partial_.data() + row * hidden;
            if (id >= vocabulary_.begin && id < vocabulary_.end)
                kernels_.widen(weights_.embedding + (id - vocabulary_.begin) * hidden, target,
                               hidden);
            else
                std::fill_n(target, hidden, 0.0F);
        }
        group_.all_reduce_sum({partial_.data(), static_cast<size_t>(rows * hidden)});
        kernels_.round_sum(partial_.data(), nullptr, residual_.data(), rows * hidden);
    }

    /// Adds `delta` (unless null) to the residual stream and leaves the stream's norm in normed_.
    void normalise(int64_t rows, const T* delta, const T* weight) {
        const int64_t hidden = architecture_.hidden;
        const auto epsilon = static_cast<float>(architecture_.norm_epsilon);
        for_each_row(rows, hidden, [&](int64_t row) {
            kernels_.add_rms_norm(residual_.data() + row * hidden,
                                  delta == nullptr ? nullptr : delta + row * hidden, weight,
                                  normed_.data() + row * hidden, hidden, epsilon);
        });
    }

    /// Fills attended_ from normed_ and appends keys and values to the hop's cache.
    void attend(const LayerWeights<T>& layer, int64_t hop, std::span<const Segment> segments,
                int64_t rows) {
        multiply<T>(normed_.data(), rows,
                    std::array<Product<T>, 3>{{{layer.query, queries_.data()},
                                               {layer.key, keys_.data()},
                                               {layer.value, values_.data()}}});
        const int64_t width = heads_.query * heads_.head_dim;
        for_each_row(rows, width, [&](int64_t token) {
            const int64_t position = places_[static_cast<size_t>(token)].position;
            kernels_.rotate(queries_.data() + token * width, heads_.query, heads_.head_dim,
                            rotary_.cosines(position), rotary_.sines(position));
        });
        for (const Wave& wave : waves_) {
            store_keys_and_values(wave, hop);
            attention_.run(
                segments.subspan(wave.first_segment, wave.last_segment - wave.first_segment),
                queries_.data() + wave.first_token * width, cache_, hop,
                attended_.data() + wave.first_token * width);
        }
    }

    void store_keys_and_values(const Wave& wave, int64_t hop) {
        const int64_t dim = heads_.head_dim;
        const size_t bytes = static_cast<size_t>(dim) * sizeof(T);
        for_each_row(wave.last_token - wave.first_token, 2 * heads_.kv * dim, [&](int64_t index) {
            const int64_t token = wave.first_token + index;
            const Place& place = places_[static_cast<size_t>(token)];
            for (int64_t head = 0; head < heads_.kv; ++head) {
                const int64_t source = (token * heads_.kv + head) * dim;
                T* key = cache_.keys(hop, place.row, head) + place.position * dim;
                std::memcpy(key, keys_.data() + source, bytes);
                kernels_.rotate(key, 1, dim, rotary_.cosines(place.position),
                                rotary_.sines(place.position));
                std::memcpy(cache_.values(hop, place.row, head) + place.position * dim,
                            values_.data() + source, bytes);
            }
        });
    }

    /// delta_ = input * weight^T + bias, summed over the ranks' slices of the input dimension.
    void reduce_linear(const Linear<T>& layer, const T* input, int64_t rows) {
        if (group_.size() == 1) {
            linear(layer, input, rows, delta_.data());
            return;
        }
        linear_partial(layer, input, rows, delta_.data(), partial_.data());
        group_.all_reduce_sum({partial_.data(), static_cast<size_t>(rows * layer.out)});
        for_each_row(rows, layer.out, [&](int64_t row) {
            kernels_.round_sum(partial_.data() + row * layer.out, layer.bias,
                               delta_.data() + row * layer.out, layer.out);
        });
    }

    /// After the last attention only the wanted tokens matter: moves them to the front.
    int64_t keep_wanted(std::span<const int32_t> wanted) {
        const int64_t hidden = architecture_.hidden;
        const int64_t width = heads_.query * heads_.head_dim;
        int64_t target = 0;
        for (const int32_t token : wanted) {
            std::memmove(residual_.data() + target * hidden, residual_.data() + token * hidden,
                         static_cast<size_t>(hidden) * sizeof(T));
            std::memmove(attended_.data() + target * width, attended_.data() + token * width,
                         static_cast<size_t>(width) * sizeof(T));
            ++target;
        }
        return target;
    }

    const RowKernels<T>& kernels_ = row_kernels<T>();
    Architecture architecture_;
    TensorGroup& group_;
    ModelWeights<T> weights_;
    Range vocabulary_;
    HeadCounts heads_;
    int64_t intermediate_;
    RotaryTable rotary_;
    KvCache<T> cache_;
    Attention<T> attention_;
    OutputHead<T> head_;

    std::vector<Place> places_;
    std::vector<Wave> waves_;
    std::vector<size_t> row_wave_;  ///< number of the last wave that holds each cache row
    int64_t kept_ = 0;
    Buffer<T> residual_, delta_, normed_, queries_, keys_, values_, attended_, gate_, up_;
    Buffer<float> partial_;  ///< this rank's share of a sum over ranks
};

void check_arena(const Arena& arena, const std::vector<TensorSpec>& expected) {
    for (const TensorSpec& spec : expected) {
        const TensorView view = arena.view(spec.name);
        if (view.dtype != spec.dtype || view.shape != spec.shape)
            throw Error("Cannot decode from this arena",
                        "tensor " + spec.name + " is " + std::string(name_of(view.dtype)) + " " +
                            to_string(view.shape) + ", expected " +
                            std::string(name_of(spec.dtype)) + " " + to_string(spec.shape));
    }
}

}  // namespace

std::unique_ptr<ForwardPass> make_forward_pass(const Architecture& architecture,
                                               const Sharding& sharding, const Arena& weights,
                                               TensorGroup& group, const DecoderOptions& options) {
    check_arena(weights, arena_specs(architecture, sharding, options.dtype));
    if (options.dtype == DType::f32)
        return std::make_unique<LlamaPass<float>>(architecture, sharding, weights, group, options);
    if (options.dtype == DType::bf16)
        return std::make_unique<LlamaPass<Bf16>>(architecture, sharding, weights, group, options);
    throw Error("Cannot decode in " + std::string(torch_name_of(options.dtype)),
                "only float32 and bfloat16 are supported on the CPU");
}

}  // namespace galapagos
