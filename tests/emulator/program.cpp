#include "emulator/program.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "emulator/fault.hpp"
#include "emulator/memory_access.hpp"
#include "emulator/operations.hpp"
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

std::size_t aligned(std::size_t at, std::size_t alignment) {
    return (at + alignment - 1) / alignment * alignment;
}

/// 0 for predicates.
std::size_t register_bytes(const std::string& type) {
    return type == ".pred" ? 0 : static_cast<std::size_t>(std::stoi(type.substr(2))) / 8;
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
    Decoder(const PtxKernel& kernel, Program& program) : kernel_(kernel), program_(program) {
        program_.register_bytes = special::end;
        place_parameters();
        place_shared();
        specials_ = {{"%tid.x", special::tid_x},
                     {"%ntid.x", special::ntid_x},
                     {"%ctaid.x", special::ctaid_x},
                     {"%nctaid.x", special::nctaid_x},
                     {"%laneid", special::laneid}};
    }

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
    void place_parameters() {
        std::size_t at = 0;
        for (const PtxVariable& parameter : kernel_.parameters) {
            at = aligned(at, parameter.alignment);
            program_.parameter_offsets.push_back(at);
            symbols_[parameter.name] = at;
            at += parameter.bytes;
        }
        program_.parameters = kernel_.parameters;
        program_.parameter_bytes = at;
    }

    void place_shared() {
        std::size_t at = 0;
        for (const PtxVariable& variable : kernel_.shared) {
            at = aligned(at, variable.alignment);
            symbols_[variable.name] = at;
            at += variable.bytes;
        }
        if (!kernel_.dynamic_shared.empty()) {
            at = aligned(at, 16);
            symbols_[kernel_.dynamic_shared] = at;
        }
        program_.static_shared_bytes = at;
    }

    std::uint32_t take_slot(std::size_t bytes) {
        const std::uint32_t slot = program_.register_bytes;
        program_.register_bytes += static_cast<std::uint32_t>(bytes * warp_lanes);
        return slot;
    }

    std::uint32_t constant(std::uint64_t value, std::size_t bytes) {
        if (bytes < 8) value &= (std::uint64_t{1} << (8 * bytes)) - 1;
        const auto [known, is_new] = constants_.try_emplace({value, bytes}, 0);
        if (is_new) {
            known->second = take_slot(bytes);
            program_.constants.push_back({known->second, static_cast<std::uint32_t>(bytes), value});
        }
        return known->second;
    }

    std::uint32_t predicate(const std::string& name) {
        if (kernel_.type_of(name) != ".pred") throw Unsupported("no predicate: " + name);
        const auto [known, is_new] = slots_.try_emplace(name, 0);
        if (is_new) known->second = program_.predicates++;
        return known->second;
    }

    static bool is_register(const std::string& operand) {
        return operand.front() == '%' || operand.find('@') != std::string::npos;
    }
    std::size_t bytes_of(const std::string& operand) const {
        return specials_.contains(operand) ? 4 : register_bytes(kernel_.type_of(operand));
    }

    /// The slot of a register, a constant, or an address.
    std::uint32_t value(const std::string& operand, std::size_t bytes) {
        if (const auto found = specials_.find(operand); found != specials_.end()) {
            if (bytes != 4) throw Unsupported("a special register of another width");
            return found->second;
        }
        if (const auto found = symbols_.find(operand); found != symbols_.end())
            return constant(found->second, bytes);
        if (operand == "WARP_SZ") return constant(warp_lanes, bytes);
        if (!is_register(operand) && !kernel_.registers.contains(operand))
            return constant(literal(operand, bytes), bytes);
        if (bytes_of(operand) != bytes) throw Unsupported(operand + " has another width");
        const auto [known, is_new] = slots_.try_emplace(operand, 0);
        if (is_new) known->second = take_slot(bytes);
        return known->second;
    }

    static std::uint64_t literal(const std::string& text, std::size_t bytes) {
        const std::string kind = text.substr(0, 2);
        if (kind == "0f" || kind == "0F") return std::stoull(text.substr(2), nullptr, 16);
        if (kind == "0d" || kind == "0D") {
            if (bytes != 8) throw Unsupported("a double in another place");
            return std::stoull(text.substr(2), nullptr, 16);
        }
        std::size_t used = 0;
        const std::uint64_t value = text.front() == '-'
                                        ? static_cast<std::uint64_t>(std::stoll(text, &used, 0))
                                        : std::stoull(text, &used, 0);
        if (used != text.size() && text.substr(used) != "U")
            throw Unsupported("operand '" + text + "'");
        return value;
    }

    Instruction instruction_of(const PtxStatement& statement) {
        Instruction made;
        if (!statement.guard.empty()) {
            made.guard = predicate(statement.guard);
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
            made.operands[i] = widths[i] == 'p' ? predicate_or_constant(statement.operands[i])
                                                : value(statement.operands[i],
                                                        static_cast<std::size_t>(widths[i] - '0'));
        made.run = found->second.run;
    }

    /// A conversion may take the low half of a register.
    std::string of_wide_register(const PtxStatement& statement) const {
        const bool low_half =
            statement.opcode.rfind("cvt.", 0) == 0 &&
            statement.opcode.find("32", statement.opcode.size() - 2) != std::string::npos &&
            is_register(statement.operands.at(1)) && bytes_of(statement.operands.at(1)) == 8;
        return low_half ? " of 64" : "";
    }

    /// "mov.pred %p1, 0" has a constant; -1 is true.
    std::uint32_t predicate_or_constant(const std::string& operand) {
        if (is_register(operand)) return predicate(operand);
        if (operand == "-1" || operand == "1") return 0;
        if (operand != "0") throw Unsupported("operand '" + operand + "'");
        const auto [known, is_new] = slots_.try_emplace("never", 0);
        if (is_new) known->second = program_.predicates++;
        return known->second;
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
        made.operands[0] = value(statement.operands.at(0), 4);
        made.run = synchronize_lanes;
    }

    void exchange(const PtxStatement& statement, Instruction& made) {
        std::string result = statement.operands.at(0);
        made.number = -1;
        if (const std::size_t bar = result.find('|'); bar != std::string::npos) {
            made.number = predicate(result.substr(bar + 1));
            result.resize(bar);
        }
        made.operands[0] = value(result, 4);
        for (std::size_t i = 1; i < 5; ++i) made.operands[i] = value(statement.operands.at(i), 4);
        // Segments of a warp would be told by other bounds.
        if (statement.operands[3] != "31" && !is_register(statement.operands[3]))
            throw Unsupported("an exchange in part of a warp");
        made.run = exchange_lanes;
    }

    void tiles(const PtxStatement& statement, Instruction& made) {
        std::size_t next = 0;
        for (const std::string& operand : statement.operands)
            for (const std::string& part : parts_of(operand))
                made.operands[next++] = value(part, 4);
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
                                   ? value(statement.operands[0], width)
                                   : take_slot(width);
            for (std::size_t i = address + 1; i < statement.operands.size(); ++i)
                made.operands[address_operand + i - address] = value(statement.operands[i], width);
        } else {
            const auto parts = parts_of(statement.operands.at(1 - address));
            if (parts.size() != static_cast<std::size_t>(what.count))
                throw Unsupported("so many operands");
            if (is_register(parts.front())) width = bytes_of(parts.front());
            if (!is_register(parts.front()) && width == 1) width = 2;
            for (std::size_t i = 0; i < parts.size(); ++i)
                made.operands[i] = value(parts[i], width);
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
        made.uniform = !is_register(base) && what.kind == MemoryAccess::Kind::load;
        const std::size_t bytes = is_register(base) ? bytes_of(base) : 8;
        made.operands[address_operand] = value(base, bytes);
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
    std::map<std::string, std::uint32_t> slots_;
    std::map<std::string, std::uint32_t> specials_;
    std::map<std::string, std::size_t> symbols_;
    std::map<std::pair<std::uint64_t, std::size_t>, std::uint32_t> constants_;
};

}  // namespace

Program::Program(const PtxKernel& kernel)
    : name(readable_name(kernel.name)), most_threads(kernel.most_threads) {
    Decoder(kernel, *this).decode();
}

}  // namespace galapagos::emulator
