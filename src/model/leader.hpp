#pragma once

#include <cstdint>
#include <functional>

#include "comm/tensor_group.hpp"

namespace galapagos {

/// Asks `question` on every rank of the group (an empty one says yes); rank 0's answer counts for
/// all. If it throws there, the call throws on every rank.
bool ask_leader(TensorGroup& group, const std::function<bool()>& question);

/// Thrown on the other ranks when rank 0 failed in a caller's function.
[[noreturn]] void throw_leader_failed();

}  // namespace galapagos
