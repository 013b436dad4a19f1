#include "weights/digest_memo.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "weights/file_lock.hpp"

namespace galapagos {
namespace {

bool is_digest(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

/// The digest noted earlier, if there is a sound one.
std::optional<std::string> recall(const std::filesystem::path& note) {
    if (!std::filesystem::exists(note)) return std::nullopt;
    const std::string digest = read_text(note, 4096);
    return is_digest(digest) ? std::optional(digest) : std::nullopt;
}

}  // namespace

std::string DigestMemo::digest(const std::filesystem::path& file) const {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
        throw Error(file.string() + ": can't read", std::strerror(errno));
    }
    const std::string identity =
        fmt::format("{}-{}-{}-{}.{:09}", status.st_dev, status.st_ino, status.st_size,
                    status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    if (std::time(nullptr) - status.st_ctim.tv_sec < 2) return sha256_file(file);
    const auto note = folder_ / "digests" / identity;
    if (auto known = recall(note)) return *known;
    std::error_code ignored;
    std::filesystem::create_directories(note.parent_path(), ignored);
    const FileLock lock(note.string() +
                        ".lock");  // the ranks of a node need the same digests at once
    if (auto known = recall(note)) return *known;
    const std::string digest = sha256_file(file);
    try {
        write_atomically(note, digest);
    } catch (const Error&) {
        return digest;  // remembering is a convenience
    }
    return digest;
}

}  // namespace galapagos
