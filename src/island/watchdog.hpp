// Ends a job one of whose processes has stopped getting on, and says which.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "comm/communicator.hpp"

namespace galapagos {

/// While it lives, a thread of this process (which never touches MPI) writes every few seconds what
/// the main thread does to a small file of the run directory, heartbeat/r00003. The one of rank 0
/// reads the others' files, and that of rank 1 rank 0's. A process is taken for hung when its file
/// has not changed for `limit` seconds (stopped, or its node is frozen), or when its main thread
/// has taken no step for that long although it has work: twice as long where it waits for others,
/// since then the one that it waits for is to be named. The watcher prints which rank that is and
/// what it was doing, and kills itself, which makes the launcher end the job; the run resumes from
/// its checkpoints.
class Watchdog {
  public:
    /// Collective. `limit` 0: nothing is watched. Old files are removed first.
    /// `on_hang` gets what is to be said; by default it is printed and this process killed.
    Watchdog(const Communicator& world, const std::filesystem::path& folder, double limit,
             std::function<void(const std::string&)> on_hang = end_the_job);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    static void end_the_job(const std::string& message);

  private:
    struct Patrol;
    std::unique_ptr<Patrol> patrol_;
};

}  // namespace galapagos
