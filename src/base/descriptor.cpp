#include "base/descriptor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace galapagos {

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path,
               const std::string& advice) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            throw Error(fmt::format("{}: can't write", path.string()), std::strerror(errno),
                        advice);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

}  // namespace galapagos
