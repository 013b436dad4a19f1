// NearSwap: where the models are close, the base takes over the other's values.
#include <algorithm>
#include <cmath>

#include "merge/job.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

GALAPAGOS_VECTOR_CLONES
void swap_near(const float* __restrict base, const float* __restrict other, float t,
               float* __restrict out, std::int64_t count) {
    constexpr float smallest = 1e-6f;
    for (std::int64_t i = 0; i < count; ++i) {
        const float distance = std::fabs(base[i] - other[i]);
        float weight = t / (distance < smallest ? smallest : distance);
        weight = weight > 1 ? 1.0f : weight;
        weight = weight < 0 ? 0.0f : weight;
        out[i] = weight * other[i] + (1 - weight) * base[i];
    }
}

}  // namespace

void nearswap_block(const TensorJob& job, std::int64_t global, std::int64_t count,
                    BlockBuffers& buffers, float* out) {
    load_block(job.base, global, count, buffers.base);
    load_block(job.inputs.front().tensor, global, count, buffers.value);
    swap_near(buffers.base, buffers.value, job.t, out, count);
}

}  // namespace galapagos
