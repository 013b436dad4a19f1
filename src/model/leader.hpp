#pragma once

#include <cstdint>
#include <functional>

#include "comm/tensor_group.hpp"

namespace galapagos {

/// Asks `question` on rank 0 of the group (an empty one says yes); every rank gets the answer. If
/// it throws, the call throws on every rank.
bool ask_leader(TensorGroup& group, const std::function<bool()>& question);

/// Thrown on the other ranks when rank 0 failed in a caller's function.
[[noreturn]] void throw_leader_failed();

}  // namespace galapagos
