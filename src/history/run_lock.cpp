#include "history/run_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/host.hpp"

namespace galapagos {
namespace {

// Locks of an open file description, not of a process: they survive another close of the file in
// this process, and unlike flock() they reach the other nodes of a network file system.
int lock_command(int descriptor, int command, short type, struct flock& request) {
    request = {};
    request.l_type = type;
    request.l_whence = SEEK_SET;
    return ::fcntl(descriptor, command, &request);
}

std::string read_owner(int descriptor) {
    char text[1024];
    const ssize_t length = ::pread(descriptor, text, sizeof text, 0);
    return {text, length > 0 ? static_cast<size_t>(length) : 0};
}

bool locks_unsupported(int error) {
    return error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL;
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& owner_text) {
    const auto owner = LockOwner::parse(owner_text);
    const std::string who = owner ? fmt::format("process {} on {} has held it since {}",
                                                owner->process, owner->host, owner->since)
                                  : std::string("another process holds it");
    throw Error(fmt::format("{}: the run directory is in use", file.parent_path().string()), who,
                "Wait for that run, create the file `stop` in the directory to end it, or choose "
                "another --run-dir.");
}

}  // namespace

LockOwner LockOwner::self() {
    const char* job = std::getenv("SLURM_JOB_ID");
    return {host_name(), static_cast<long>(::getpid()), job != nullptr ? job : "", utc_timestamp()};
}

std::string LockOwner::text() const {
    return fmt::format("host {}\nprocess {}\njob {}\nsince {}\n", host, process,
                       job.empty() ? "-" : job, since);
}

std::optional<LockOwner> LockOwner::parse(const std::string& text) {
    std::istringstream in(text);
    LockOwner owner;
    std::string a, b, c, d;
    if (!(in >> a >> owner.host >> b >> owner.process >> c >> owner.job >> d >> owner.since))
        return {};
    if (a != "host" || b != "process" || c != "job" || d != "since") return {};
    if (owner.job == "-") owner.job.clear();
    return owner;
}

RunLock::RunLock(std::filesystem::path file) : file_(std::move(file)) {
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
        throw Error(fmt::format("{}: can't lock the run directory", file_.string()),
                    std::strerror(errno), "Choose a --run-dir that you may write to.");
    try {
        struct flock request {};
        const LockOwner self = LockOwner::self();
        if (lock_command(descriptor_, F_OFD_SETLK, F_WRLCK, request) != 0) {
            if (!locks_unsupported(errno)) refuse(file_, read_owner(descriptor_));
            const auto previous = LockOwner::parse(read_owner(descriptor_));
            if (previous && !previous_owner_is_gone(*previous, self))
                throw Error(fmt::format("{}: may be in use", file_.parent_path().string()),
                            fmt::format("the file system has no locks, and process {} on {} did "
                                        "not give it back",
                                        previous->process, previous->host),
                            "Delete the file `lock` if that run is dead.");
            warnings_.push_back(fmt::format(
                "{}: this file system has no locks, two runs at the same moment go unnoticed",
                file_.string()));
        }
        const std::string text = self.text();
        if (::ftruncate(descriptor_, 0) != 0 ||
            ::pwrite(descriptor_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
            throw Error(fmt::format("{}: can't write", file_.string()), std::strerror(errno));
    } catch (...) {
        ::close(std::exchange(descriptor_, -1));
        throw;
    }
}

RunLock::~RunLock() { release(); }

RunLock::RunLock(RunLock&& other) noexcept
    : file_(std::move(other.file_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      warnings_(std::move(other.warnings_)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
    if (this == &other) return *this;
    release();
    file_ = std::move(other.file_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    warnings_ = std::move(other.warnings_);
    return *this;
}

void RunLock::release() noexcept {
    if (descriptor_ < 0) return;
    // An empty file says that the owner left in good order; the file stays, to keep its inode.
    [[maybe_unused]] const int status = ::ftruncate(descriptor_, 0);
    ::close(std::exchange(descriptor_, -1));
}

std::optional<LockOwner> lock_holder(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return {};
    struct flock request {};
    const bool asked = lock_command(descriptor, F_OFD_GETLK, F_WRLCK, request) == 0;
    const auto owner = LockOwner::parse(read_owner(descriptor));
    ::close(descriptor);
    if (asked && request.l_type == F_UNLCK) return {};
    if (asked) return owner ? owner : LockOwner{"an unknown host", 0, "", ""};
    return owner && !previous_owner_is_gone(*owner, LockOwner::self()) ? owner : std::nullopt;
}

bool previous_owner_is_gone(const LockOwner& previous, const LockOwner& self) {
    if (previous.host == self.host)
        return ::kill(static_cast<pid_t>(previous.process), 0) != 0 && errno == ESRCH;
    // A requeued job keeps its number, and Slurm never runs it twice at once.
    return !previous.job.empty() && previous.job == self.job;
}

}  // namespace galapagos
