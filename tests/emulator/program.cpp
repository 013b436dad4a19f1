#include "emulator/program.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "emulator/fault.hpp"
#include "emulator/memory_access.hpp"
#include "emulator/operations.hpp"
#include "emulator/slots.hpp"
#include "emulator/warp_operations.hpp"

namespace galapagos::emulator {
namespace {

const Operations& all_operations() {
    static const Operations operations = [] {
        Operations made;
        add_arithmetic(made);
        add_float_arithmetic(made);
        add_comparisons(made);
        add_conversions(made);
        return made;
    }();
    return operations;
}

std::string readable_name(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 ? text.get() : name;
}

/// "{a, b}" as a and b, anything else as itself.
std::vector<std::string> parts_of(const std::string& operand) {
    if (operand.front() != '{') return {operand};
    std::vector<std::string> parts;
    std::size_t at = 1;
    while (at < operand.size()) {
        const std::size_t begin = operand.find_first_not_of(" \t", at);
        const std::size_t end = operand.find_first_of(" \t,}", begin);
        parts.push_back(operand.substr(begin, end - begin));
        at = operand.find_first_of(",}", end) + 1;
    }
    return parts;
}

/// Turns statements into instructions and hands out slots on the way.
class Decoder {
  public:
    Decoder(const PtxKernel& kernel, Program& program)
        : kernel_(kernel), program_(program), slots_(kernel, program) {}

    void decode() {
        for (const PtxStatement& statement : kernel_.statements) {
            const std::string text =
                "line " + std::to_string(statement.line) + " '" + statement.text() + "'";
            try {
                program_.instructions.push_back(instruction_of(statement));
            } catch (const std::exception& error) {
                throw Unsupported("kernel " + program_.name + ", " + text + ": " + error.what());
            }
            program_.texts.push_back(text);
        }
        // A body may end without ret.
        program_.instructions.emplace_back().run = end_threads;
        program_.texts.push_back("the end");
    }

  private:
    Instruction instruction_of(const PtxStatement& statement) {
        Instruction made;
        if (!statement.guard.empty()) {
            made.guard = slots_.predicate(statement.guard);
            made.guard_flip = statement.guard_negated ? all_lanes : 0;
        }
        const std::string& opcode = statement.opcode;
        if (is_memory_access(opcode))
            access(statement, made);
        else if (opcode == "bra" || opcode == "bra.uni")
            jump(statement, made);
        else if (opcode == "ret" || opcode == "exit")
            made.run = end_threads;
        else if (opcode == "bar.sync")
            barrier(statement, made);
        else if (opcode == "bar.warp.sync")
            warp_barrier(statement, made);
        else if (opcode == "shfl.sync.bfly.b32")
            exchange(statement, made);
        else if (opcode == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32")
            tiles(statement, made);
        else if (opcode == "mov.b32" || opcode == "mov.b64")
            move(statement, made);
        else
            ordinary(statement, made);
        if (made.run == nullptr) throw Unsupported("opcode " + opcode);
        return made;
    }

    void ordinary(const PtxStatement& statement, Instruction& made) {
        const auto found = all_operations().find(statement.opcode + of_wide_register(statement));
        if (found == all_operations().end()) throw Unsupported("opcode " + statement.opcode);
        const std::string& widths = found->second.operands;
        if (widths.size() != statement.operands.size())
            throw Unsupported("so many operands of " + statement.opcode);
        for (std::size_t i = 0; i < widths.size(); ++i)
            made.operands[i] = widths[i] == 'p'
                                   ? slots_.predicate_or_constant(statement.operands[i])
                                   : slots_.value(statement.operands[i],
                                                  static_cast<std::size_t>(widths[i] - '0'));
        made.run = found->second.run;
    }

    /// A conversion may take the low half of a register.
    std::string of_wide_register(const PtxStatement& statement) const {
        const bool low_half =
            statement.opcode.rfind("cvt.", 0) == 0 &&
            statement.opcode.find("32", statement.opcode.size() - 2) != std::string::npos &&
            Slots::is_register(statement.operands.at(1)) &&
            slots_.bytes_of(statement.operands.at(1)) == 8;
        return low_half ? " of 64" : "";
    }

    void jump(const PtxStatement& statement, Instruction& made) {
        made.number = static_cast<std::int64_t>(kernel_.labels.at(statement.operands.at(0)));
        made.run = branch;
    }

    void barrier(const PtxStatement& statement, Instruction& made) {
        if (statement.operands.size() != 1 || statement.operands[0] != "0" ||
            !statement.guard.empty())
            throw Unsupported("a barrier of some threads");
        made.run = wait_for_block;
    }

    void warp_barrier(const PtxStatement& statement, Instruction& made) {
        made.operands[0] = slots_.value(statement.operands.at(0), 4);
        made.run = synchronize_lanes;
    }

    void exchange(const PtxStatement& statement, Instruction& made) {
        std::string result = statement.operands.at(0);
        made.number = -1;
        if (const std::size_t bar = result.find('|'); bar != std::string::npos) {
            made.number = slots_.predicate(result.substr(bar + 1));
            result.resize(bar);
        }
        made.operands[0] = slots_.value(result, 4);
        for (std::size_t i = 1; i < 5; ++i)
            made.operands[i] = slots_.value(statement.operands.at(i), 4);
        // Segments of a warp would be told by other bounds.
        if (statement.operands[3] != "31" && !Slots::is_register(statement.operands[3]))
            throw Unsupported("an exchange in part of a warp");
        made.run = exchange_lanes;
    }

    void tiles(const PtxStatement& statement, Instruction& made) {
        std::size_t next = 0;
        for (const std::string& operand : statement.operands)
            for (const std::string& part : parts_of(operand))
                made.operands[next++] = slots_.value(part, 4);
        if (next != most_operands) throw Unsupported("so many operands");
        made.run = multiply_tiles;
    }

    void access(const PtxStatement& statement, Instruction& made) {
        const MemoryAccess what = memory_access(statement.opcode);
        using Kind = MemoryAccess::Kind;
        const bool result_first =
            what.kind == Kind::load ||
            (what.kind == Kind::atomic && statement.opcode.rfind("atom", 0) == 0);
        const std::size_t address = result_first ? 1 : 0;
        const std::size_t address_bytes = address_of(statement.operands.at(address), what, made);
        std::size_t width = what.bytes();
        if (what.kind == Kind::atomic) {
            made.operands[0] = result_first && statement.operands[0] != "_"
                                   ? slots_.value(statement.operands[0], width)
                                   : slots_.take(width);
            for (std::size_t i = address + 1; i < statement.operands.size(); ++i)
                made.operands[address_operand + i - address] =
                    slots_.value(statement.operands[i], width);
        } else {
            const auto parts = parts_of(statement.operands.at(1 - address));
            if (parts.size() != static_cast<std::size_t>(what.count))
                throw Unsupported("so many operands");
            if (Slots::is_register(parts.front())) width = slots_.bytes_of(parts.front());
            if (!Slots::is_register(parts.front()) && width == 1) width = 2;
            for (std::size_t i = 0; i < parts.size(); ++i)
                made.operands[i] = slots_.value(parts[i], width);
        }
        made.count = static_cast<std::uint8_t>(what.count);
        made.relaxed = what.is_volatile;
        made.run = memory_operation(what, width, address_bytes);
    }

    /// "[%rd1+8]", "[name+-4]": returns the width of the address.
    std::size_t address_of(const std::string& operand, const MemoryAccess& what,
                           Instruction& made) {
        const std::string inside = operand.substr(1, operand.size() - 2);
        const std::size_t plus = inside.find('+');
        const std::string base = inside.substr(0, plus);
        if (plus != std::string::npos)
            made.number = std::stoll(inside.substr(plus + 1), nullptr, 0);
        made.uniform = !Slots::is_register(base) && what.kind == MemoryAccess::Kind::load;
        const std::size_t bytes = Slots::is_register(base) ? slots_.bytes_of(base) : 8;
        made.operands[address_operand] = slots_.value(base, bytes);
        return bytes;
    }

    /// Besides plain moves: words put together and taken apart.
    void move(const PtxStatement& statement, Instruction& made) {
        if (statement.operands.at(0).front() == '{' || statement.operands.at(1).front() == '{')
            throw Unsupported("words put together");
        ordinary(statement, made);
    }

    const PtxKernel& kernel_;
    Program& program_;
    Slots slots_;
};

}  // namespace

Program::Program(const PtxKernel& kernel)
    : name(readable_name(kernel.name)), most_threads(kernel.most_threads) {
    Decoder(kernel, *this).decode();
}

}  // namespace galapagos::emulator
