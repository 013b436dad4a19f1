#include "emulator/streams.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

#include "emulator/status.hpp"

namespace galapagos::emulator {
namespace {

/// Whether streams begin by themselves.
bool hasty() {
    static const bool asked = std::getenv("GALAPAGOS_EMULATED_STREAMS_ARE_HASTY") != nullptr;
    return asked;
}

}  // namespace

bool hold_work_of(const void* communicator, const Tasks& tasks) {
    return std::any_of(tasks.begin(), tasks.end(), [communicator](const Task& task) {
        return task.communicator == communicator;
    });
}

void Stream::queue(std::function<void()> work) {
    queue_task({[work = std::move(work)] {
        work();
        return true;
    }});
}

void Stream::queue_task(Task task) {
    if (recording_)
        recorded_.push_back(std::move(task));
    else
        tasks_.push_back(std::move(task));
    static std::minstd_rand chance;
    if (hasty() && !recording_ && chance() % 4 == 0) get_on();
}

/// As far as it goes without waiting.
void Stream::get_on() {
    run_work([this] {
        for (std::size_t left = tasks_.size() + 1; tasks_.size() < left && !idle(); step())
            left = tasks_.size();
    });
}

Tasks Stream::end_recording() {
    recording_ = false;
    return std::exchange(recorded_, {});
}

void Stream::record(Event& event) {
    event.stream = this;
    const std::uint64_t number = ++event.recorded;
    // The event may be gone when its point is reached.
    queue([reached = event.reached, number] { *reached = std::max(*reached, number); });
}

void Stream::wait_for(const Event& event) {
    if (event.recorded == 0) return;
    queue_task({[reached = event.reached, number = event.recorded, other = event.stream] {
        if (*reached < number) other->step();
        return *reached >= number || other->idle();
    }});
}

void Stream::step() {
    if (tasks_.empty()) return;
    // A task that throws is not tried again.
    Task next = std::move(tasks_.front());
    tasks_.pop_front();
    if (next.run()) return;
    tasks_.push_front(std::move(next));
    std::this_thread::yield();
}

void Stream::finish() {
    while (!tasks_.empty()) step();
}

Stream* Streams::make() { return streams_.emplace_back(std::make_unique<Stream>()).get(); }

void Streams::finish_all() {
    standard_.finish();
    for (const auto& stream : streams_) stream->finish();
}

bool Streams::record_work_of(const void* communicator) const {
    return std::any_of(streams_.begin(), streams_.end(), [communicator](const auto& stream) {
        return hold_work_of(communicator, stream->recorded());
    });
}

Streams& streams() {
    static Streams* const all = new Streams;
    return *all;
}

}  // namespace galapagos::emulator
