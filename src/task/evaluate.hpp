#pragma once

#include "model/decoder.hpp"
#include "task/prepared_task.hpp"

namespace galapagos {

/// Puts a prepared split to the candidate that lies in the decoder's arena.
TaskResult evaluate(const PreparedTask& task, Decoder& decoder, const EvaluateHooks& hooks = {});

}  // namespace galapagos
