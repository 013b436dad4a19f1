#pragma once

namespace galapagos {

/// Keeps memory that libtorch frees for its next temporary, instead of giving every large block
/// back to the system and paying for its page faults again. Call once, at the program's start.
void keep_freed_memory();

}  // namespace galapagos
