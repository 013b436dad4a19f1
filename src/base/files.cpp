#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/descriptor.hpp"
#include "base/error.hpp"

namespace galapagos {
namespace {

std::string system_reason() { return std::strerror(errno); }

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) throw Error(fmt::format("{}: can't open", path.string()), system_reason());
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        throw Error(fmt::format("{}: can't read", path.string()), "not a regular file");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (address == MAP_FAILED)
        throw Error(fmt::format("{}: can't map", path.string()), system_reason());
    data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text(const std::filesystem::path& path, std::size_t limit) {
    const MappedFile file(path);
    if (file.bytes().size() > limit)
        throw Error(
            fmt::format("{}: refused", path.string()),
            fmt::format("{} bytes, more than the {} allowed here", file.bytes().size(), limit));
    return std::string(file.text());
}

void write_atomically(const std::filesystem::path& path, std::string_view content) {
    const std::filesystem::path temporary = fmt::format("{}.tmp.{}", path.string(), ::getpid());
    try {
        const Descriptor file(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (file.get() < 0)
            throw Error(fmt::format("{}: can't create", temporary.string()), system_reason());
        write_all(file.get(), std::as_bytes(std::span(content)), temporary);
        if (::fsync(file.get()) != 0)
            throw Error(fmt::format("{}: can't sync", temporary.string()), system_reason());
        if (::rename(temporary.c_str(), path.c_str()) != 0)
            throw Error(fmt::format("{}: can't replace", path.string()), system_reason());
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    // The rename itself is durable only once its folder is synced.
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() >= 0) ::fsync(directory.get());
}

void make_private_folder(const std::filesystem::path& folder, const std::string& advice) {
    std::error_code failure;
    const bool made = std::filesystem::create_directories(folder, failure);
    if (failure)
        throw Error(fmt::format("{}: can't make the folder", folder.string()), failure.message(),
                    advice);
    struct stat parent {
    }, own{};
    const auto above = std::filesystem::absolute(folder).parent_path();
    if (::stat(above.c_str(), &parent) != 0 || (parent.st_mode & S_IWOTH) == 0) return;
    if (made) ::chmod(folder.c_str(), 0700);
    if (::lstat(folder.c_str(), &own) != 0 || !S_ISDIR(own.st_mode) || own.st_uid != ::geteuid() ||
        (own.st_mode & S_IWOTH) != 0)
        throw Error(fmt::format("{}: won't use this folder", folder.string()),
                    "others may write to it", advice);
}

}  // namespace galapagos
