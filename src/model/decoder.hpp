#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/requests.hpp"
#include "weights/architecture.hpp"
#include "weights/arena.hpp"
#include "weights/layer_route.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

class ForwardPass;

/// How the shares of tensor-parallel ranks are added up.
enum class Reductions {
    exact,  ///< in rank order: the same bits on every machine
    fast,   ///< on GPUs by NCCL, in an order of its own. The CPU's are always exact
};

struct DecoderOptions {
    DType dtype = DType::bf16;  ///< of weights and activations: f32 or bf16
    int max_batch = 32;         ///< rows decoded together; one cache row each
    int max_tokens = 1024;      ///< longest row: prompt and new tokens together
    int batch_tokens = 1024;    ///< most tokens in one forward pass
    int64_t max_hops = 0;       ///< longest layer path later on; at least the first one's length
    Reductions reductions = Reductions::exact;
};

/// A decoder language model that evaluates whatever candidate lies in the arena.
///
/// Weights are read from the arena at fixed addresses and nothing is derived from them, so the
/// arena may be overwritten with the next candidate between calls. All other memory (activations,
/// key-value cache) is allocated by the constructor. With a group of several ranks each rank holds
/// its shard, and all ranks make the same calls with the same requests; all get the same results.
/// The same requests and weights give the same bits on every run.
class Decoder {
  public:
    /// Throws Error when the arena doesn't hold `arena_specs(architecture, sharding, dtype)`.
    /// The arena and the group must outlive the decoder. The route defaults to every layer once.
    Decoder(const Architecture& architecture, const Sharding& sharding, Arena& weights,
            TensorGroup& group, DecoderOptions options);
    Decoder(const Architecture& architecture, const Sharding& sharding, Arena& weights,
            TensorGroup& group, DecoderOptions options, const LayerRoute& route);
    /// Over a pass that was made elsewhere with these options, as one on a GPU.
    Decoder(const Architecture& architecture, TensorGroup& group, DecoderOptions options,
            std::unique_ptr<ForwardPass> forward);
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    /// The layers that run from now on, on all ranks alike. Throws Error if the path has more hops
    /// than there are caches for, or names a layer that isn't there.
    void set_route(const LayerRoute& route);

    /// Greedy continuations, in the order of the requests. Ties go to the lowest id. Throws Error
    /// for a request that exceeds max_tokens or holds ids outside the vocabulary, and when the
    /// weights give non-finite logits.
    std::vector<Generation> generate(const std::vector<GenerationRequest>& requests,
                                     const GenerationHooks& hooks = {});

    /// Log-likelihoods of continuations, in the order of the requests. Errors as in `generate`; the
    /// last id of a continuation is not read and may exceed max_tokens.
    /// `keep_going` as in GenerationHooks; false ends the call with what was scored so far (the
    /// rest holds NaN).
    std::vector<Score> score(const std::vector<ScoreRequest>& requests,
                             const std::function<bool()>& keep_going = {});

    /// Logits [T, vocabulary] in fp32 (holding values of the model dtype) for every position of
    /// one sequence of T ids; for tests and inspection.
    std::vector<float> logits(const std::vector<int32_t>& ids);

    const DecoderOptions& options() const;
    const Architecture& architecture() const;

  private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace galapagos
