// An exclusive lock on a run directory, released when the process ends however it ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace galapagos {

/// Who holds or held a lock; kept as text in the lock file.
struct LockOwner {
    std::string host;
    long process = 0;
    std::string job;    // SLURM_JOB_ID, empty outside Slurm
    std::string since;  // UTC
    static LockOwner self();
    static std::optional<LockOwner> parse(const std::string& text);
    std::string text() const;
};

class RunLock {
  public:
    /// Takes the lock without waiting. Throws Error naming the owner when another process holds it.
    explicit RunLock(std::filesystem::path file);
    ~RunLock();
    RunLock(RunLock&&) noexcept;
    RunLock& operator=(RunLock&&) noexcept;
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;

    const std::vector<std::string>& warnings() const { return warnings_; }

  private:
    void release() noexcept;
    std::filesystem::path file_;
    int descriptor_ = -1;
    std::vector<std::string> warnings_;
};

/// The owner of a lock that is held right now, if any; takes nothing.
std::optional<LockOwner> lock_holder(const std::filesystem::path& file);

/// For file systems without locks: may `self` go ahead although `previous` never released? True
/// when previous is known dead: its process is gone on this host, or it was an earlier attempt of
/// the same Slurm job.
bool previous_owner_is_gone(const LockOwner& previous, const LockOwner& self);

}  // namespace galapagos
