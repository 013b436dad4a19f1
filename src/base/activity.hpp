// What this process is doing, for those who watch it. Written by the main thread, read by any.
#pragma once

#include <cstdint>

namespace galapagos {

struct Activity {
    const char* what = "starting";
    std::uint64_t steps = 0;  ///< grows while the main thread gets on
    bool waiting = false;     ///< for another process, in the middle of something
    bool idle = false;        ///< has nothing to do, for as long as others like
};

/// `what` is a literal: only its address is kept. Counts as a step.
void set_activity(const char* what, bool idle = false);
/// The main thread gets on: called between short pieces of work.
void note_step();
Activity current_activity();

/// While it lives, the main thread waits for other processes.
class WaitingForOthers {
  public:
    WaitingForOthers();
    ~WaitingForOthers();
    WaitingForOthers(const WaitingForOthers&) = delete;
    WaitingForOthers& operator=(const WaitingForOthers&) = delete;
};

}  // namespace galapagos
