#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/attention.hpp"
#include "model/decoder.hpp"
#include "model/output_head.hpp"
#include "weights/architecture.hpp"
#include "weights/arena.hpp"
#include "weights/layer_route.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// The network of one tensor-parallel rank: packed tokens in, answers about next tokens out. Knows
/// nothing of requests or batches. All ranks of the group make the same calls.
class ForwardPass {
  public:
    virtual ~ForwardPass() = default;

    /// The layers of all later runs. Throws Error if there are fewer caches than hops, or no such
    /// layer.
    virtual void set_route(const LayerRoute& route) = 0;

    /// Runs the segments' tokens through every hop and appends them to their cache rows. Segments
    /// are handled in order: a later one may overwrite positions of an earlier one's row. Keeps
    /// the final hidden states of the tokens listed in `wanted` (ascending indices).
    virtual void run(std::span<const int32_t> tokens, std::span<const Segment> segments,
                     std::span<const int32_t> wanted) = 0;

    /// About the hidden states kept by the last run; queries sorted by row (index into `wanted`).
    virtual void answer(std::span<const HeadQuery> queries, std::span<HeadAnswer> answers) = 0;

    /// Logits [wanted, vocabulary] of the last run.
    virtual void logits(float* output) = 0;
};

std::unique_ptr<ForwardPass> make_forward_pass(const Architecture& architecture,
                                               const Sharding& sharding, const Arena& weights,
                                               TensorGroup& group, const DecoderOptions& options,
                                               const LayerRoute& route);

}  // namespace galapagos
