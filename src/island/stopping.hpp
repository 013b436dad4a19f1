// When a run should stop before its work is done.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.hpp"

namespace galapagos {

/// Holds back the signals of SignalWatch until one is made or `release_stop_signals` is called: a
/// stop request that comes while the program starts must not kill it. Call first in main.
void hold_stop_signals();
void release_stop_signals();

/// Turns SIGUSR1, SIGTERM and SIGINT into a flag for the life of the object. The handler only sets
/// the flag.
class SignalWatch {
  public:
    SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;
    ~SignalWatch();
    /// The name of the signal that came, if one came.
    static std::optional<std::string> caught();
    /// For tests: forget what came.
    static void reset();
};

/// Reasons to stop and be resumed later: a signal, a file named `stop` in the run directory, or the
/// end of a batch job.
class StopWatch {
  public:
    /// `job_end`: Unix time at which the job will be killed, if known (SLURM_JOB_END_TIME).
    StopWatch(std::filesystem::path stop_file, std::optional<double> job_end);

    /// The reason, if there is one. Looks at the file system once a second at most. `unit_seconds`
    /// is what one more unit of work takes: too little time for two of them before the job's end is
    /// a reason.
    std::optional<std::string> reason(double unit_seconds);

  private:
    std::filesystem::path stop_file_;
    std::optional<double> job_end_;
    double next_look_ = 0;
    bool file_seen_ = false;
};

/// SLURM_JOB_END_TIME of the environment.
std::optional<double> job_end_from_environment();

}  // namespace galapagos
