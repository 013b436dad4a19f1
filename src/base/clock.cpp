#include "base/clock.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace galapagos {

double Stopwatch::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double unix_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string utc_timestamp(double unix_seconds) {
    const auto whole = static_cast<std::time_t>(std::floor(unix_seconds));
    std::tm utc{};
    gmtime_r(&whole, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds)) return "?";
    if (seconds < 60) return fmt::format("{:.1f}s", seconds);
    const auto whole = static_cast<long>(seconds + 0.5);
    if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
    return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

}  // namespace galapagos
