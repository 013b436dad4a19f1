#include "forecast/memory.hpp"

#include <algorithm>
#include <set>

#include "merge/source_statistics.hpp"

namespace galapagos {
namespace {

/// Elements of the model's type that the decoder holds for each token of a pass.
std::int64_t row_elements(const Architecture& a, std::int64_t query_heads, std::int64_t kv_heads,
                          std::int64_t intermediate) {
    const std::int64_t heads = query_heads + 2 * kv_heads;
    std::int64_t row = 3 * a.hidden + (heads + query_heads) * a.head_dim + 2 * intermediate;
    if (a.parallel_residual) row += a.hidden;
    if (a.layout->query_key_value != QueryKeyValue::separate) row += heads * a.head_dim;
    if (a.experts > 0) row += a.experts + a.hidden;  // the router's scores, an expert's rows
    return row;
}

}  // namespace

DecoderMemory decoder_memory(const Architecture& architecture, const Sharding& sharding,
                             const DecoderOptions& options, int threads) {
    const auto element = static_cast<std::int64_t>(size_of(options.dtype));
    const std::int64_t query_heads = sharding.q_head_end() - sharding.q_head_begin();
    const std::int64_t kv_heads = sharding.kv_head_end() - sharding.kv_head_begin();
    const std::int64_t intermediate = sharding.intermediate_end() - sharding.intermediate_begin();
    const std::int64_t vocabulary = sharding.vocab_end() - sharding.vocab_begin();
    const std::int64_t tokens = std::max(options.batch_tokens, options.max_batch);
    constexpr std::int64_t logit_rows = 64;       // as the output head holds at a time
    constexpr std::int64_t attention_rows = 128;  // and attention, of each thread
    constexpr std::int64_t fp32 = sizeof(float);

    DecoderMemory memory;
    const std::int64_t hops = options.max_hops > 0 ? options.max_hops : architecture.layers;
    memory.kv_cache = 2 * hops * options.max_batch * kv_heads * options.max_tokens *
                      architecture.head_dim * element;
    memory.activations =
        tokens * row_elements(architecture, query_heads, kv_heads, intermediate) * element +
        logit_rows * vocabulary * element;
    if (sharding.size() > 1 || architecture.experts > 0)  // what is summed in fp32
        memory.activations += tokens * architecture.hidden * fp32;
    if (architecture.experts > 0)  // an expert's answers
        memory.activations += tokens * architecture.hidden * fp32;
    const std::int64_t group = query_heads / std::max<std::int64_t>(1, kv_heads);
    const std::int64_t rows = std::max<std::int64_t>(1, attention_rows / group) * group;
    const std::int64_t length = options.max_tokens, dim = architecture.head_dim;
    memory.activations += threads * rows * ((length + 2 * dim) * fp32 + (length + dim) * element);
    const auto rotary_tables = static_cast<std::int64_t>(architecture.ropes.size());
    memory.activations += rotary_tables * options.max_tokens * architecture.head_dim * fp32;
    return memory;
}

std::int64_t arena_bytes(const Architecture& architecture, const Sharding& sharding, DType dtype) {
    constexpr std::int64_t alignment = 64;
    std::int64_t bytes = 0;
    for (const auto& spec : arena_specs(architecture, sharding, dtype))
        bytes += (static_cast<std::int64_t>(spec.bytes()) + alignment - 1) / alignment * alignment;
    return bytes;
}

namespace {

std::int64_t ladder_bytes(std::int64_t elements) {
    // Two neighbouring steps hold more than one element in 512, or more than 16. A vector may have
    // set aside twice what it holds.
    const std::int64_t steps = std::min<std::int64_t>(2 * 512, elements / 8) + 2;
    const auto a_step = static_cast<std::int64_t>(2 * sizeof(DeltaLadder::Step));
    const auto ties = static_cast<std::int64_t>(sizeof(DeltaLadder::TieCounts::value_type));
    return steps * (a_step + delta_chunks(elements) * ties);
}

}  // namespace

std::int64_t statistics_bytes(const std::vector<TensorSpec>& tensors,
                              const std::vector<Method>& methods) {
    constexpr std::int64_t mask_table = (probability_levels + 1) * sizeof(std::int64_t);
    std::set<Thinning> used;
    for (const Method method : methods) used.insert(traits_of(method).thinning);
    std::int64_t bytes = 0;
    for (const TensorSpec& tensor : tensors) {
        const std::int64_t elements = element_count(tensor.shape);
        bytes += sizeof(DeltaStatistics);
        if (used.contains(Thinning::largest) || used.contains(Thinning::middle))
            bytes += ladder_bytes(elements);
        if (used.contains(Thinning::random)) bytes += mask_table;
        if (used.contains(Thinning::by_rank))
            bytes += elements * static_cast<std::int64_t>(sizeof(std::uint16_t));
    }
    return bytes;
}

}  // namespace galapagos
