#include "weights/digest_memo.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"

namespace galapagos {
namespace {

bool is_digest(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
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
    const auto note = folder_ / "digests" / identity;
    const bool settled = std::time(nullptr) - status.st_ctim.tv_sec >= 2;
    if (settled && std::filesystem::exists(note)) {
        const std::string remembered = read_text(note, 4096);
        if (is_digest(remembered)) return remembered;
    }
    const std::string digest = sha256_file(file);
    if (!settled) return digest;
    try {
        std::filesystem::create_directories(note.parent_path());
        write_atomically(note, digest);
    } catch (const std::exception&) {
        return digest;  // remembering is a convenience
    }
    return digest;
}

}  // namespace galapagos
