// Loads, stores and atomic operations.
#pragma once

#include <cstddef>
#include <string>

#include "emulator/program.hpp"

namespace galapagos::emulator {

/// "ld.global.nc.v4.u32" and the like, taken apart.
struct MemoryAccess {
    enum class Kind { load, store, atomic };
    enum class Space { generic, global, shared, parameter };

    Kind kind = Kind::load;
    Space space = Space::generic;
    bool is_volatile = false;
    int count = 1;          ///< values a lane
    std::string operation;  ///< of an atomic access: "add"
    std::string type;       ///< "u32"

    std::size_t bytes() const;  ///< of a value
};

/// Where the slot of the address is among an instruction's operands; the values come before it,
/// and what an atomic operation takes after it.
inline constexpr std::size_t address_operand = 4;

bool is_memory_access(const std::string& opcode);
MemoryAccess memory_access(const std::string& opcode);
/// `register_bytes` of a value's register, `address_bytes` of the address's.
Run memory_operation(const MemoryAccess& access, std::size_t register_bytes,
                     std::size_t address_bytes);

}  // namespace galapagos::emulator
