// PTX text as kernels and statements. Knows the grammar, not what instructions mean.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos::emulator {

struct PtxStatement {
    int line = 0;
    std::string guard;  ///< a predicate register, or empty
    bool guard_negated = false;
    std::string opcode;
    /// "%r1", "-12", "0f3F800000", "[%rd1+8]", "{%r1, %r2}", "name".
    std::vector<std::string> operands;

    std::string text() const;
};

struct PtxVariable {
    std::string name;
    std::size_t alignment = 1, bytes = 0;
};

struct PtxKernel {
    std::string name;
    std::vector<PtxVariable> parameters, shared;
    std::string dynamic_shared;  ///< the module's extern array; may be empty
    /// Types of registers (".b32") by name, or by what comes before the number (%r of %r<100>).
    std::map<std::string, std::string> registers;
    std::size_t most_threads = 1024;
    std::vector<PtxStatement> statements;
    std::map<std::string, std::size_t> labels;  ///< the statement that follows

    /// Throws Unsupported if it isn't declared.
    const std::string& type_of(const std::string& name) const;
};

/// The kernels of a module; throws Unsupported on what the emulator has no use for.
std::vector<PtxKernel> parse_ptx(std::string_view text);

}  // namespace galapagos::emulator
