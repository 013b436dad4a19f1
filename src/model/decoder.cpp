#include "model/decoder.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "model/forward_pass.hpp"
#include "model/generation.hpp"
#include "model/scoring.hpp"

namespace galapagos {
namespace {

void check_options(const DecoderOptions& options) {
    if (options.max_batch < 1 || options.max_tokens < 1 || options.batch_tokens < 1)
        throw Error("Cannot make a decoder",
                    "max_batch, max_tokens and batch_tokens must all be positive");
}

}  // namespace

class Decoder::Implementation {
  public:
    Implementation(const Architecture& architecture, TensorGroup& group,
                   const DecoderOptions& options, std::unique_ptr<ForwardPass> forward)
        : architecture(architecture), options(options), group(group), forward(std::move(forward)) {}

    /// Throws Error unless `ids` is not empty and in the vocabulary, and `length` tokens fit in a
    /// row.
    void check(const std::vector<int32_t>& ids, size_t length, const std::string& what) const {
        if (ids.empty()) throw Error("Cannot run " + what, "it has no ids to start from");
        check_vocabulary(ids, what);
        if (length > static_cast<size_t>(options.max_tokens))
            throw Error("Cannot run " + what,
                        "it needs " + std::to_string(length) + " tokens, a row holds " +
                            std::to_string(options.max_tokens),
                        "shorten it, or allow longer rows");
        const int64_t most = architecture.most_positions();
        if (most > 0 && length > static_cast<size_t>(most))
            throw Error("Cannot run " + what,
                        "it needs " + std::to_string(length) +
                            " tokens, the position embeddings of this model are for " +
                            std::to_string(most),
                        "shorten it");
    }

    void check_vocabulary(const std::vector<int32_t>& ids, const std::string& what) const {
        for (const int32_t id : ids)
            if (id < 0 || id >= architecture.vocabulary)
                throw Error("Cannot run " + what,
                            "id " + std::to_string(id) + " is outside the vocabulary of " +
                                std::to_string(architecture.vocabulary),
                            "use the model's own tokenizer");
    }

    Architecture architecture;
    DecoderOptions options;
    TensorGroup& group;
    std::unique_ptr<ForwardPass> forward;
};

Decoder::Decoder(const Architecture& architecture, const Sharding& sharding, Arena& weights,
                 TensorGroup& group, DecoderOptions options)
    : Decoder(architecture, sharding, weights, group, options,
              LayerRoute::plain(architecture.layers)) {}

Decoder::Decoder(const Architecture& architecture, const Sharding& sharding, Arena& weights,
                 TensorGroup& group, DecoderOptions options, const LayerRoute& route) {
    check_options(options);
    implementation_ = std::make_unique<Implementation>(
        architecture, group, options,
        make_forward_pass(architecture, sharding, weights, group, options, route));
}

Decoder::Decoder(const Architecture& architecture, TensorGroup& group, DecoderOptions options,
                 std::unique_ptr<ForwardPass> forward) {
    check_options(options);
    implementation_ =
        std::make_unique<Implementation>(architecture, group, options, std::move(forward));
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

void Decoder::set_route(const LayerRoute& route) { implementation_->forward->set_route(route); }

std::vector<Generation> Decoder::generate(const std::vector<GenerationRequest>& requests,
                                          const GenerationHooks& hooks) {
    Implementation& self = *implementation_;
    for (size_t i = 0; i < requests.size(); ++i)
        self.check(requests[i].prompt,
                   requests[i].prompt.size() +
                       static_cast<size_t>(std::max(0, requests[i].max_new_tokens)),
                   "generation request " + std::to_string(i));
    return GreedyGeneration(*self.forward, self.group, self.options, requests, hooks).run();
}

std::vector<Score> Decoder::score(const std::vector<ScoreRequest>& requests,
                                  const std::function<bool()>& keep_going) {
    Implementation& self = *implementation_;
    for (size_t i = 0; i < requests.size(); ++i) {
        const std::string what = "score request " + std::to_string(i);
        const size_t read = std::max<size_t>(requests[i].continuation.size(), 1) - 1;
        self.check(requests[i].context, requests[i].context.size() + read, what);
        self.check_vocabulary(requests[i].continuation, what);
    }
    return Scoring(*self.forward, self.group, self.options, requests, keep_going).run();
}

std::vector<float> Decoder::logits(const std::vector<int32_t>& ids) {
    Implementation& self = *implementation_;
    self.check(ids, ids.size(), "a sequence");
    const int64_t vocabulary = self.architecture.vocabulary;
    const auto length = static_cast<int64_t>(ids.size());
    std::vector<float> result(ids.size() * static_cast<size_t>(vocabulary));
    std::vector<int32_t> wanted;
    for (int64_t fed = 0; fed < length;) {
        const Segment part{0, fed, std::min<int64_t>(self.options.batch_tokens, length - fed)};
        const auto count = static_cast<size_t>(part.count);
        wanted.resize(count);
        std::iota(wanted.begin(), wanted.end(), 0);
        self.forward->run(std::span(ids).subspan(static_cast<size_t>(fed), count), {&part, 1},
                          wanted);
        self.forward->logits(result.data() + fed * vocabulary);
        fed += part.count;
    }
    return result;
}

const DecoderOptions& Decoder::options() const { return implementation_->options; }
const Architecture& Decoder::architecture() const { return implementation_->architecture; }

}  // namespace galapagos
