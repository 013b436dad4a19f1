// A lock between processes.
#pragma once

#include <filesystem>

namespace galapagos {

/// Holds an exclusive lock on a file, which it makes if need be, for a scope. Where the file can't
/// be made or the file system has no locks, it does nothing: for work that may be done twice, but
/// need not be.
class FileLock {
  public:
    explicit FileLock(const std::filesystem::path& path);
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

  private:
    int descriptor_;
};

}  // namespace galapagos
