// How much memory a rank needs, before anything is allocated.
#pragma once

#include <cstdint>
#include <vector>

#include "merge/method.hpp"
#include "model/decoder.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

/// Bytes of a Decoder beside its weights: what its constructor allocates on this rank.
struct DecoderMemory {
    std::int64_t kv_cache = 0;
    std::int64_t activations = 0;  ///< residual stream, projections, attention scratch, logits
};
/// `threads` of a rank each have their own attention scratch.
DecoderMemory decoder_memory(const Architecture& architecture, const Sharding& sharding,
                             const DecoderOptions& options, int threads);

/// Bytes of the arena that `arena_specs` asks for.
std::int64_t arena_bytes(const Architecture& architecture, const Sharding& sharding, DType dtype);

/// Most bytes that the merge statistics of `tensors` (of all sources) can take: magnitude ladders,
/// mask tables or ranks, as the methods need them.
std::int64_t statistics_bytes(const std::vector<TensorSpec>& tensors,
                              const std::vector<Method>& methods);

}  // namespace galapagos
