// Where a kernel's registers, constants and variables lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "emulator/program.hpp"

namespace galapagos::emulator {

/// Hands out slots as operands are met, and notes in the program what it needs.
class Slots {
  public:
    Slots(const PtxKernel& kernel, Program& program);

    static bool is_register(const std::string& operand);
    /// Of a register; 0 for predicates.
    std::size_t bytes_of(const std::string& operand) const;
    /// The slot of a register, a constant, or the address of a variable; throws Unsupported if it
    /// has another width.
    std::uint32_t value(const std::string& operand, std::size_t bytes);
    /// The number of a predicate.
    std::uint32_t predicate(const std::string& name);
    /// "mov.pred %p1, 0" has a constant; -1 is true.
    std::uint32_t predicate_or_constant(const std::string& operand);
    /// A register that has no name.
    std::uint32_t take(std::size_t bytes);

  private:
    void place_parameters();
    void place_shared();
    std::uint32_t constant(std::uint64_t value, std::size_t bytes);
    std::uint32_t known_predicate(const std::string& name);

    const PtxKernel& kernel_;
    Program& program_;
    std::map<std::string, std::uint32_t> registers_, predicates_;
    std::map<std::string, std::uint32_t> specials_;
    std::map<std::string, std::size_t> variables_;
    std::map<std::pair<std::uint64_t, std::size_t>, std::uint32_t> constants_;
};

}  // namespace galapagos::emulator
