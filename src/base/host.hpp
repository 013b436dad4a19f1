#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace galapagos {

/// This machine's name; "unknown" where it has none.
std::string host_name();

/// The processor's model, as it calls itself; "unknown" where it doesn't.
std::string processor_name();

/// Bytes of this machine's memory, and of those that no process holds: caches of files count as
/// free.
std::size_t total_memory();
std::size_t available_memory();

/// What this process may have of it: less than all where a batch system or a container says so
/// (control groups, versions 1 and 2).
std::size_t memory_limit();
/// The tightest limit of the groups that a file lists as /proc/self/cgroup does, which are folders
/// below `root`; at most `most`.
std::size_t memory_limit(const std::filesystem::path& groups, const std::filesystem::path& root,
                         std::size_t most);

}  // namespace galapagos
