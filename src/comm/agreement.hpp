// Steps of a group's ranks that may fail on one of them alone.
#pragma once

#include <functional>

#include "comm/communicator.hpp"

namespace galapagos {

/// Collective. Runs a step that each rank takes by itself; when it fails on some, it fails on all:
/// the others throw the lowest one's error (of a cause, not of a PeerError), before any waits for
/// what a failed rank won't send. The step must not communicate, unless what fails in there fails
/// on all ranks.
void agree(const Communicator& members, const std::function<void()>& step);

}  // namespace galapagos
