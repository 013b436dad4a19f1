// One pass over a block that reads every source once and keeps everything else in registers: what
// most methods come down to when all sources are bf16, or all fp32.
#pragma once

#include <cstdint>

#include "merge/job.hpp"

namespace galapagos {

/// True if the tensor's sources are all of one type that the pass reads, thinned in a way that it
/// knows, and, for an election of signs, no more than fit in registers.
bool can_fuse(const TensorJob& job, bool elect_signs);

/// As linear_block, slerp_block, task_arithmetic_block and sign_election_block, with the same bits;
/// only for jobs that can be fused.
void fused_sum_block(const TensorJob& job, bool with_base, std::int64_t global, std::int64_t count,
                     float* out);
void fused_delta_block(const TensorJob& job, bool elect_signs, std::int64_t global,
                       std::int64_t count, float* out);

}  // namespace galapagos
