#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace galapagos {

/// A read-only memory map of a regular file. Movable; the map ends with the object.
class MappedFile {
  public:
    MappedFile() = default;
    /// Throws Error when the file is missing, no regular file, or can't be mapped. An empty file
    /// maps to no bytes.
    explicit MappedFile(const std::filesystem::path& path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

  private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// The whole file as text; throws Error when it can't be read or is larger than `limit` bytes.
std::string read_text(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30);

/// Replaces a file in one step: writes a temporary beside it, fsyncs, renames. A crash leaves the
/// old or the new content. Throws Error with the system's reason (no space, read-only); the old
/// file is then untouched.
void write_atomically(const std::filesystem::path& path, std::string_view content);

/// Makes a folder for files that this program alone writes. In a directory that everyone writes to,
/// the folder must be the user's own, since another could plant files. Throws Error that ends with
/// `advice`.
void make_private_folder(const std::filesystem::path& folder, const std::string& advice);

}  // namespace galapagos
