#include "app/text_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace galapagos {

TextLog::TextLog(const std::filesystem::path& file)
    : descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {}

TextLog::~TextLog() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void TextLog::line(const std::string& text) {
    const auto entry = fmt::format("{} {}\n", utc_timestamp(), text);
    if (descriptor_ >= 0) [[maybe_unused]]
        const auto written = ::write(descriptor_, entry.data(), entry.size());
}

}  // namespace galapagos
