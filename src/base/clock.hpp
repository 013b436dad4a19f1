#pragma once

#include <chrono>
#include <string>

namespace galapagos {

/// Seconds since construction or the last restart, from the monotonic clock.
class Stopwatch {
  public:
    double seconds() const;
    void restart() { start_ = std::chrono::steady_clock::now(); }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Seconds since the Unix epoch, with fractions.
double unix_time();

/// "2026-01-31T12:34:56Z": UTC, for logs and files.
std::string utc_timestamp(double unix_seconds = unix_time());

/// "1h02m", "3m20s" or "4.2s": a duration as a person reads it.
std::string format_duration(double seconds);

}  // namespace galapagos
