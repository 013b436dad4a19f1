#include "history/run_layout.hpp"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

namespace galapagos {
namespace {

/// Digits of `text` from `at`, which moves past them.
template <typename T>
bool take_number(const std::string& text, size_t& at, T& value) {
    const auto [rest, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    if (error != std::errc()) return false;
    at = static_cast<size_t>(rest - text.data());
    return true;
}

}  // namespace

std::filesystem::path RunLayout::log(uint32_t island) const {
    return logs() / fmt::format("i{:04}.log", island);
}

std::filesystem::path RunLayout::part(uint32_t island, int part) const {
    return islands() / fmt::format("i{:04}.part{:03}.h5", island, part);
}

bool RunLayout::stop_requested() const {
    std::error_code ignored;
    return std::filesystem::exists(stop(), ignored);
}

std::optional<PartName> parse_part_name(const std::string& file_name) {
    PartName name;
    size_t at = 1;
    if (!file_name.starts_with('i') || !take_number(file_name, at, name.island)) return {};
    if (file_name.compare(at, 5, ".part") != 0) return {};
    at += 5;
    if (!take_number(file_name, at, name.part)) return {};
    // Only the one spelling that RunLayout writes, so that no part counts twice.
    if (name.part < 1 || RunLayout{}.part(name.island, name.part).filename() != file_name)
        return {};
    return name;
}

}  // namespace galapagos
