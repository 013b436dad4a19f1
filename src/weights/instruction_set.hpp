// Loops that exist in several variants, one an instruction set: conversions between types, and the
// model's kernels.
#pragma once

#include <string_view>
#include <vector>

#include "weights/dtype.hpp"

namespace galapagos {

std::string_view name_of(InstructionSet set);

/// Those that this processor runs, the portable one first.
std::vector<InstructionSet> supported_instruction_sets();

/// The one in use: the fastest that this processor runs, unless the environment variable
/// GALAPAGOS_INSTRUCTIONS names another. Throws UsageError if that one is unknown or can't run
/// here.
InstructionSet instruction_set();

}  // namespace galapagos
