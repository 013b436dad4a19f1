// An island at the start of an attempt on a run directory that has it already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "history/checkpoint.hpp"
#include "history/run_layout.hpp"
#include "island/island_search.hpp"

namespace galapagos {

/// Brings an island to its newest checkpoint, if there is one. Returns what a person should know.
std::vector<std::string> resume_island(const RunLayout& layout, std::uint32_t island,
                                       const CheckpointStore& checkpoints, IslandSearch& search);

}  // namespace galapagos
