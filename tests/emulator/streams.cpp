#include "emulator/streams.hpp"

#include <algorithm>

namespace galapagos::emulator {

void Stream::record(Event& event) {
    event.stream = this;
    const std::uint64_t number = ++event.recorded;
    // The event may be gone when its point is reached.
    queue([reached = event.reached, number] { *reached = std::max(*reached, number); });
}

void Stream::wait_for(const Event& event) {
    if (event.recorded == 0) return;
    queue([reached = event.reached, number = event.recorded, other = event.stream] {
        other->reach(*reached, number);
    });
}

void Stream::step() {
    if (work_.empty()) return;
    const std::function<void()> next = std::move(work_.front());
    work_.pop_front();
    next();
}

void Stream::finish() {
    while (!work_.empty()) step();
}

void Stream::reach(const std::uint64_t& reached, std::uint64_t wanted) {
    while (reached < wanted && !work_.empty()) step();
}

Stream* Streams::make() { return streams_.emplace_back(std::make_unique<Stream>()).get(); }

void Streams::finish_all() {
    standard_.finish();
    for (const auto& stream : streams_) stream->finish();
}

Streams& streams() {
    static Streams* const all = new Streams;
    return *all;
}

}  // namespace galapagos::emulator
