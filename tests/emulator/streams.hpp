// Queues of work, as lazy as they may be, or as hasty.
//
// Work that is queued does nothing until the host waits for it: what reads a result too early
// finds the old one, and what reuses memory too early spoils the copy that still needs it. With
// GALAPAGOS_EMULATED_STREAMS_ARE_HASTY a stream begins at once now and then, before others have
// done what was queued there before: what should have waited for them doesn't.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace galapagos::emulator {

class Stream;

/// A point in a stream. Recorded again, it is another point.
struct Event {
    std::uint64_t recorded = 0;  ///< how often
    std::shared_ptr<std::uint64_t> reached = std::make_shared<std::uint64_t>(0);
    Stream* stream = nullptr;  ///< of the last recording
    bool timed = false;
    bool is_reached() const { return *reached >= recorded; }
};

struct Task {
    /// Says whether it is done; what waits for other ranks is asked again.
    std::function<bool()> run;
    const void* communicator = nullptr;  ///< whose work it is, if it is one's
};
using Tasks = std::vector<Task>;
bool hold_work_of(const void* communicator, const Tasks& tasks);

class Stream {
  public:
    /// While the stream is recorded, work is only written down.
    void queue(std::function<void()> work);
    void queue_task(Task task);
    void record(Event& event);
    /// What is queued from now on starts after the point that was recorded last.
    void wait_for(const Event& event);

    bool recording() const { return recording_; }
    const Tasks& recorded() const { return recorded_; }
    void begin_recording() { recording_ = true; }
    Tasks end_recording();

    bool idle() const { return tasks_.empty(); }
    /// Tries the next piece of work. A stream that is asked again and again gets on.
    void step();
    void finish();

    int priority = 0;  ///< asked for; nothing here goes first

  private:
    void get_on();

    std::deque<Task> tasks_;
    Tasks recorded_;
    bool recording_ = false;
};

/// All streams of the device: the default one, and those that know nothing of it.
class Streams {
  public:
    Stream& standard() { return standard_; }
    /// Lives as long as the program: its work has still to be done when its handle is gone.
    Stream* make();
    void finish_all();
    /// Whether one is being recorded that has such work.
    bool record_work_of(const void* communicator) const;

  private:
    Stream standard_;
    std::vector<std::unique_ptr<Stream>> streams_;
};

Streams& streams();

}  // namespace galapagos::emulator
