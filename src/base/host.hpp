#pragma once

#include <cstddef>
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

}  // namespace galapagos
