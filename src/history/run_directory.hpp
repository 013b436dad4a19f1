// One run's directory: created once, locked while a run lives, refused to another configuration.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "history/run_layout.hpp"
#include "history/run_lock.hpp"

namespace galapagos {

enum class Resume {
    automatic,  // resume what is there, else start
    never,      // start; refuse a directory that holds a run
    must,       // resume; refuse a directory that holds none
};

/// What identifies a run. `yaml` is the complete resolved configuration, written to run.yaml as it
/// is. `may_change` lists key prefixes that may differ on resume ("budget", "name",
/// "history.flush").
struct RunConfig {
    std::string yaml;
    std::vector<std::string> may_change;
    /// SHA-256 over all keys that may not change; checkpoints carry it.
    std::string hash() const;
    /// Every key that may not change with its value: "tasks[0].split" -> "train".
    std::map<std::string, std::string> fixed_keys() const;
};

/// One line for every key that differs and may not.
std::vector<std::string> config_differences(const RunConfig& before, const RunConfig& now);

/// Opened by one rank of the world; the other ranks use RunLayout{root} after a broadcast of
/// attempt() and resumed().
class RunDirectory {
  public:
    /// Creates or reopens `root`, takes the lock, checks the configuration, removes unfinished
    /// temporary files. Throws Error: directory not writable, no space, locked by a live run (names
    /// host and process); UsageError: other configuration (names the keys that differ), `resume`
    /// not met.
    static RunDirectory open(const std::filesystem::path& root, const RunConfig& config,
                             Resume resume);

    const RunLayout& layout() const { return layout_; }
    bool resumed() const { return resumed_; }
    /// 1 for the first job attempt on this directory; names the history parts of this attempt.
    int attempt() const { return attempt_; }
    /// Non-fatal remarks, for instance a file system without locks.
    const std::vector<std::string>& warnings() const { return warnings_; }
    /// Removes a `stop` file left by an earlier attempt.
    void clear_stop_request() const;

  private:
    RunDirectory(RunLayout layout, RunLock lock)
        : layout_(std::move(layout)), lock_(std::move(lock)) {}
    RunLayout layout_;
    RunLock lock_;
    int attempt_ = 1;
    bool resumed_ = false;
    std::vector<std::string> warnings_;
};

/// Names of the islands that have at least one part, ascending; and the parts of one island,
/// ascending.
std::vector<uint32_t> islands_in(const RunLayout& layout);
std::vector<int> parts_of(const RunLayout& layout, uint32_t island);

/// Unfinished temporary files; a run's own while it is alive.
std::vector<std::filesystem::path> temporary_files(const RunLayout& layout);

}  // namespace galapagos
