#include "base/error.hpp"

#include <fmt/format.h>

namespace galapagos {
namespace {

std::string compose(std::string_view what, std::string_view why, std::string_view hint) {
    std::string message(what);
    if (!why.empty()) message += fmt::format(" ({})", why);
    if (!hint.empty()) message += fmt::format(" {}", hint);
    return message;
}

}  // namespace

Error::Error(std::string_view what, std::string_view why, std::string_view hint)
    : std::runtime_error(compose(what, why, hint)) {}

}  // namespace galapagos
