#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace galapagos {

/// Closes a file descriptor at the end of a scope.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int get() const { return fd_; }

  private:
    int fd_;
};

/// Writes all bytes, whatever the system takes at a time. `path` is what the Error names, `advice`
/// how it ends.
void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path,
               const std::string& advice = {});

}  // namespace galapagos
