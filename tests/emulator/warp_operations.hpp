// Instructions that the lanes of a warp take together, and the flow of control.
#pragma once

#include <cstdint>

#include "emulator/warp.hpp"

namespace galapagos::emulator {

/// operands: result, value, distance, bounds, lanes that take part. `number` is the slot of a
/// predicate that becomes true, or none (-1).
void exchange_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes);
/// operands[0]: the lanes that wait for each other.
void synchronize_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes);
/// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: operands are 4 results, 4 words of a, 2 of
/// b and 4 sums.
void multiply_tiles(Warp& warp, const Instruction& instruction, LaneMask lanes);

void branch(Warp& warp, const Instruction& instruction, LaneMask lanes);
void end_threads(Warp& warp, const Instruction& instruction, LaneMask lanes);
void wait_for_block(Warp& warp, const Instruction& instruction, LaneMask lanes);

}  // namespace galapagos::emulator
