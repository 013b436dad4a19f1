// What every fuzz target needs: the input as a file, and the only exception that may come of it.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace galapagos::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// A folder of this process in memory; it is made once and goes with the process.
class Scratch {
  public:
    Scratch()
        : path_(std::filesystem::path(root()) / ("galapagos-fuzz-" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    const std::filesystem::path& path() const { return path_; }

    /// Writes FOLDER/name, whatever was there before.
    std::filesystem::path write(const std::string& name, std::string_view content) const {
        const auto file = path_ / name;
        std::ofstream(file, std::ios::binary | std::ios::trunc)
            .write(content.data(), static_cast<std::streamsize>(content.size()));
        return file;
    }

  private:
    static const char* root() { return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; }

    std::filesystem::path path_;
};

inline const Scratch& scratch() {
    static const Scratch folder;
    return folder;
}

/// Runs `read`, which may refuse its input by an Error that says something. Any other exception
/// ends the process, and so is a finding.
template <typename Read>
void may_refuse(Read read) {
    try {
        read();
    } catch (const Error& error) {
        if (error.what()[0] == '\0') std::abort();
    }
}

}  // namespace galapagos::fuzz
