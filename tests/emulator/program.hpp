// A kernel, decoded: instructions over slots of a warp's registers.
//
// A register of a warp is an array of 32 values, one a lane, at an offset (slot) in the warp's
// register file. Constants and special registers (%tid.x) have slots too. Predicates are masks of
// lanes, in a file of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/ptx_parser.hpp"

namespace galapagos::emulator {

inline constexpr int warp_lanes = 32;
using LaneMask = std::uint32_t;
inline constexpr LaneMask all_lanes = ~LaneMask{0};

class Warp;
struct Instruction;

/// Does an instruction for the lanes of a mask that isn't empty.
using Run = void (*)(Warp& warp, const Instruction& instruction, LaneMask lanes);

inline constexpr int most_operands = 14;  // of a product of tiles

struct Instruction {
    Run run = nullptr;
    std::uint32_t guard = 0;  ///< a predicate; number 0 is always true
    LaneMask guard_flip = 0;  ///< all_lanes if the guard is negated
    std::int64_t number = 0;  ///< what a kind of instruction needs: an offset, a target
    bool uniform = false;     ///< an address that is the same for all lanes
    bool relaxed = false;     ///< a volatile access: may meet atomic ones
    std::uint8_t count = 1;   ///< of values that are read or written by a lane
    std::uint32_t operands[most_operands] = {};  ///< slots, the results first
};

/// Where the special registers are: the same in every program.
namespace special {
inline constexpr std::uint32_t bytes = warp_lanes * 4;
enum Slot : std::uint32_t {
    tid_x = 0,
    ntid_x = bytes,
    ctaid_x = 2 * bytes,
    nctaid_x = 3 * bytes,
    laneid = 4 * bytes,
    end = 5 * bytes
};
}  // namespace special

/// Addresses of shared memory as generic ones: no mapping of a process begins this low.
inline constexpr std::uint64_t shared_window = 0x1000;
inline constexpr std::uint64_t shared_window_bytes = 0xF000;

struct Constant {
    std::uint32_t slot = 0;
    std::uint32_t bytes = 0;  ///< of one lane
    std::uint64_t value = 0;
};

struct Program {
    explicit Program(const PtxKernel& kernel);

    std::string name;  ///< as the source has it
    std::vector<Instruction> instructions;
    std::vector<std::string> texts;  ///< of each instruction, with its line
    std::vector<Constant> constants;
    std::uint32_t register_bytes = 0;
    std::uint32_t predicates = 1;
    std::vector<PtxVariable> parameters;
    std::vector<std::size_t> parameter_offsets;
    std::size_t parameter_bytes = 0;
    std::size_t static_shared_bytes = 0;
    std::size_t most_threads = 0;
};

}  // namespace galapagos::emulator
