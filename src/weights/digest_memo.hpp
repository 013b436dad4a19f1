// SHA-256 digests of large files, remembered between runs.
#pragma once

#include <filesystem>
#include <string>

namespace galapagos {

/// Remembers digests as small files in a folder, keyed by device, inode, size and time of last
/// change. Safe between processes. A file that changed less than two seconds ago is hashed anew
/// each time, because a second change might not move its time stamp.
class DigestMemo {
  public:
    explicit DigestMemo(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// The file's SHA-256 in hexadecimal. Throws Error if it can't be read; a folder that can't be
    /// written only costs the memory.
    std::string digest(const std::filesystem::path& file) const;

  private:
    std::filesystem::path folder_;
};

}  // namespace galapagos
