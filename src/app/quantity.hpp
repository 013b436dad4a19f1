// Sizes and durations as people write them on a command line.
#pragma once

#include <cstdint>
#include <string>

namespace galapagos {

/// "80G", "512M", "1.5T" or plain bytes; powers of 1024. Throws UsageError naming `option`.
double parse_bytes(const std::string& option, const std::string& text);
/// "90", "90s", "10m", "12h", "30d" or "5y" in seconds. Throws UsageError naming `option`.
double parse_duration(const std::string& option, const std::string& text);
/// "270.3 MiB".
std::string format_bytes(double bytes);

}  // namespace galapagos
