// Waiting for NCCL without blocking in it.
#pragma once

#include <nccl.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/activity.hpp"

namespace galapagos::cuda {

using Patience = std::chrono::milliseconds;

/// Asks `state()` until it gives anything but ncclInProgress, which is returned; ncclInProgress
/// itself if patience is over. The pauses only begin once it takes longer than a decoding step.
template <typename State>
ncclResult_t poll(State&& state, Patience patience) {
    using Clock = std::chrono::steady_clock;
    ncclResult_t result = state();
    if (result != ncclInProgress) return result;
    const WaitingForOthers waiting;
    const auto begin = Clock::now();
    while ((result = state()) == ncclInProgress) {
        const auto waited = Clock::now() - begin;
        if (waited > patience) break;
        if (waited < std::chrono::milliseconds(20))
            std::this_thread::yield();
        else
            std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return result;
}

/// What became of the call that gave `code`, by the same rules. Success is no last word either:
/// some calls (ncclCommSplit) give it while NCCL is still at work.
template <typename State>
ncclResult_t outcome(ncclResult_t code, State&& state, Patience patience) {
    const bool under_way = code == ncclSuccess || code == ncclInProgress;
    return under_way ? poll(std::forward<State>(state), patience) : code;
}

}  // namespace galapagos::cuda
