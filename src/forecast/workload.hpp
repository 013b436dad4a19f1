// What a candidate's evaluation makes a model compute: the decoder's own batching, without a model.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/decoder.hpp"
#include "task/prepared_task.hpp"
#include "weights/architecture.hpp"

namespace galapagos {

/// One forward pass.
struct PassWork {
    std::int64_t tokens = 0;
    std::int64_t wanted = 0;     ///< tokens whose last layer and logits are computed
    std::int64_t queries = 0;    ///< questions to the output head
    std::int64_t attention = 0;  ///< pairs of a token and a position that it attends to
    std::int64_t cached = 0;     ///< cache positions that are read
};

struct Workload {
    std::vector<PassWork> passes;
    PassWork total() const;
};

/// The passes of one candidate over `tasks` (null: no items). Generated rows end at
/// `new_tokens` or at the task's limit, whichever comes first; 0: at the task's limit, the most
/// that can come.
Workload count_workload(const std::vector<std::unique_ptr<const PreparedTask>>& tasks,
                        const DecoderOptions& options, int new_tokens = 0);

/// Arithmetic operations (a multiply-add counts two) of the whole model for a pass.
double pass_flops(const Architecture& architecture, const PassWork& pass);
/// Bytes that the ranks of a group together read for a pass: weights once, cached keys and values.
/// Of a mixture's experts only those that some token chooses, if all are chosen equally often.
double pass_bytes(const Architecture& architecture, DType dtype, const PassWork& pass);
/// Bytes that each rank of a tensor-parallel group puts into the collectives of a pass: one sum of
/// the embedding, two of every layer in fp32, and 16 bytes a question.
double pass_collective_bytes(const Architecture& architecture, const PassWork& pass);

/// What sums over GPUs take of a pass.
struct SumTime {
    double bytes = 0;  ///< that a rank gets
    int collectives = 0;
    bool beside = false;  ///< whether the pass goes on meanwhile
};
SumTime pass_sums(const Architecture& architecture, const DecoderOptions& options, int width,
                  const PassWork& pass);

}  // namespace galapagos
