#include "weights/staging.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/descriptor.hpp"
#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "weights/file_lock.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

constexpr const char* advice = "stage on a node-local file system with room, or not at all";

/// Lists the digests of a whole copy; written last.
fs::path manifest_of(const fs::path& home) { return home / "galapagos-staged.json"; }

struct stat status_of(const fs::path& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        throw Error(fmt::format("{}: can't read", file.string()), std::strerror(errno));
    return status;
}

/// The manifest's digests by file name; an empty object if there is none or it makes no sense.
nlohmann::json read_manifest(const fs::path& home) {
    if (!fs::exists(manifest_of(home))) return nlohmann::json::object();
    try {
        auto digests = parse_json_strict(read_text(manifest_of(home)), manifest_of(home).string());
        if (digests.is_object()) return digests;
    } catch (const Error&) {
        // a torn file of a node that lost power: the copy is made anew
    }
    return nlohmann::json::object();
}

/// Copies one file, reading it once; returns its SHA-256.
std::string copy_hashed(const fs::path& from, const fs::path& to) {
    constexpr std::size_t part = std::size_t{8} << 20;
    const fs::path temporary = to.string() + ".tmp";
    const MappedFile original(from);
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (file.get() < 0)
        throw Error(fmt::format("{}: can't create", temporary.string()), std::strerror(errno),
                    advice);
    Sha256 hash;
    try {
        const auto bytes = original.bytes();
        for (std::size_t at = 0; at < bytes.size(); at += part) {
            const auto piece = bytes.subspan(at, std::min(part, bytes.size() - at));
            hash.add(piece);
            write_all(file.get(), piece, temporary, advice);
        }
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    fs::rename(temporary, to);
    return hash.hex();
}

void check_room(const ModelFolder& model, const fs::path& storage) {
    std::uintmax_t needed = 0;
    for (const auto& name : model.all_files())
        needed += static_cast<std::uintmax_t>(status_of(model.folder() / name).st_size);
    const auto space = fs::space(storage);
    if (space.available < needed)
        throw Error(
            fmt::format("can't stage {}", model.folder().string()),
            fmt::format("it needs {} bytes, {} has {}", needed, storage.string(), space.available),
            advice);
}

}  // namespace

Staging::Staging(const fs::path& storage, DigestMemo memo)
    : storage_(storage / fmt::format("galapagos-staged-{}", ::geteuid())), memo_(std::move(memo)) {}

fs::path Staging::home_of(const ModelFolder& model) const {
    std::string identity = fs::canonical(model.folder()).string() + "\n";
    for (const auto& name : model.all_files()) {
        const auto status = status_of(model.folder() / name);
        identity += fmt::format("{} {} {}.{:09}\n", name, status.st_size, status.st_mtim.tv_sec,
                                status.st_mtim.tv_nsec);
    }
    const auto name = fs::canonical(model.folder()).filename().string();
    return storage_ / fmt::format("{}-{}", name, sha256_hex(identity).substr(0, 16));
}

std::optional<fs::path> Staging::find(const ModelFolder& model) const {
    const fs::path home = home_of(model);
    const auto digests = read_manifest(home);
    for (const auto& name : model.all_files()) {
        const auto digest = digests.find(name);
        if (digest == digests.end() || !fs::is_regular_file(home / name) ||
            *digest != memo_.digest(home / name))
            return std::nullopt;
    }
    return home;
}

fs::path Staging::copy(const ModelFolder& model) const {
    make_private_folder(storage_, advice);
    const fs::path home = home_of(model);
    const FileLock lock(home.string() + ".lock");  // other jobs on the node
    if (const auto whole = find(model)) return *whole;
    check_room(model, storage_);
    make_private_folder(home, advice);
    nlohmann::ordered_json digests;
    for (const auto& name : model.all_files())
        digests[name] = copy_hashed(model.folder() / name, home / name);
    write_atomically(manifest_of(home), digests.dump(1) + "\n");
    if (!find(model))
        throw Error(fmt::format("can't stage {}", model.folder().string()),
                    fmt::format("what was written to {} reads back differently", home.string()),
                    advice);
    return home;
}

}  // namespace galapagos
