#include "app/quantity.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "base/error.hpp"

namespace galapagos {
namespace {

double parse(const std::string& option, const std::string& text,
             const std::map<std::string, double>& units, const char* example) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    const auto unit = units.find(end);
    if (end == text.c_str() || unit == units.end() || !(number > 0) || !std::isfinite(number))
        throw UsageError(fmt::format("{} {}: refused", option, text),
                         "expected a number above 0, with a unit",
                         fmt::format("for example {} {}", option, example));
    return number * unit->second;
}

}  // namespace

double parse_bytes(const std::string& option, const std::string& text) {
    static const std::map<std::string, double> units{
        {"", 1}, {"K", 0x1p10}, {"M", 0x1p20}, {"G", 0x1p30}, {"T", 0x1p40}};
    return parse(option, text, units, "80G");
}

double parse_duration(const std::string& option, const std::string& text) {
    static const std::map<std::string, double> units{
        {"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"y", 365.25 * 86400}};
    return parse(option, text, units, "12h");
}

std::string format_bytes(double bytes) {
    static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    int unit = 0;
    for (; std::abs(bytes) >= 1024 && unit < 5; ++unit) bytes /= 1024;
    return unit == 0 ? fmt::format("{:.0f} B", bytes)
                     : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace galapagos
