#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace galapagos {

/// The candidate closest to `name` by edit distance, if close enough to be a likely misspelling (a
/// third of its length).
std::optional<std::string> nearest_name(std::string_view name,
                                        std::span<const std::string> candidates);

/// "did you mean 'x'?" or, with no near name, "known: a, b, c": the hint of an unknown-key error.
std::string name_hint(std::string_view name, std::span<const std::string> candidates);

}  // namespace galapagos
