#include "base/activity.hpp"

#include <atomic>

namespace galapagos {
namespace {

std::atomic<const char*> now_doing{"starting"};
std::atomic<std::uint64_t> step_count{0};
std::atomic<int> waits{0};
std::atomic<bool> has_nothing_to_do{false};

}  // namespace

void set_activity(const char* what, bool idle) {
    has_nothing_to_do.store(idle, std::memory_order_relaxed);
    now_doing.store(what, std::memory_order_relaxed);
    note_step();
}

void note_step() { step_count.fetch_add(1, std::memory_order_relaxed); }

Activity current_activity() {
    return {now_doing.load(std::memory_order_relaxed), step_count.load(std::memory_order_relaxed),
            waits.load(std::memory_order_relaxed) > 0,
            has_nothing_to_do.load(std::memory_order_relaxed)};
}

WaitingForOthers::WaitingForOthers() { waits.fetch_add(1, std::memory_order_relaxed); }

WaitingForOthers::~WaitingForOthers() {
    waits.fetch_sub(1, std::memory_order_relaxed);
    note_step();
}

}  // namespace galapagos
