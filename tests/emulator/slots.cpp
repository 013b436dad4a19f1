#include "emulator/slots.hpp"

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

std::size_t aligned(std::size_t at, std::size_t alignment) {
    return (at + alignment - 1) / alignment * alignment;
}

/// "-12", "0x1F", "0f3F800000", "0d3FF0000000000000".
std::uint64_t literal(const std::string& text, std::size_t bytes) {
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

}  // namespace

Slots::Slots(const PtxKernel& kernel, Program& program)
    : kernel_(kernel),
      program_(program),
      specials_{{"%tid.x", special::tid_x},
                {"%ntid.x", special::ntid_x},
                {"%ctaid.x", special::ctaid_x},
                {"%nctaid.x", special::nctaid_x},
                {"%laneid", special::laneid}} {
    program_.register_bytes = special::end;
    place_parameters();
    place_shared();
}

void Slots::place_parameters() {
    std::size_t at = 0;
    for (const PtxVariable& parameter : kernel_.parameters) {
        at = aligned(at, parameter.alignment);
        program_.parameter_offsets.push_back(at);
        variables_[parameter.name] = at;
        at += parameter.bytes;
    }
    program_.parameters = kernel_.parameters;
    program_.parameter_bytes = at;
}

void Slots::place_shared() {
    std::size_t at = 0;
    for (const PtxVariable& variable : kernel_.shared) {
        at = aligned(at, variable.alignment);
        variables_[variable.name] = at;
        at += variable.bytes;
    }
    if (!kernel_.dynamic_shared.empty()) {
        at = aligned(at, 16);
        variables_[kernel_.dynamic_shared] = at;
    }
    program_.static_shared_bytes = at;
}

bool Slots::is_register(const std::string& operand) {
    return operand.front() == '%' || operand.find('@') != std::string::npos;
}

std::size_t Slots::bytes_of(const std::string& operand) const {
    if (specials_.contains(operand)) return 4;
    const std::string& type = kernel_.type_of(operand);
    return type == ".pred" ? 0 : static_cast<std::size_t>(std::stoi(type.substr(2))) / 8;
}

std::uint32_t Slots::take(std::size_t bytes) {
    const std::uint32_t slot = program_.register_bytes;
    program_.register_bytes += static_cast<std::uint32_t>(bytes * warp_lanes);
    return slot;
}

std::uint32_t Slots::constant(std::uint64_t value, std::size_t bytes) {
    if (bytes < 8) value &= (std::uint64_t{1} << (8 * bytes)) - 1;
    const auto [known, is_new] = constants_.try_emplace({value, bytes}, 0);
    if (is_new) {
        known->second = take(bytes);
        program_.constants.push_back({known->second, static_cast<std::uint32_t>(bytes), value});
    }
    return known->second;
}

std::uint32_t Slots::value(const std::string& operand, std::size_t bytes) {
    if (const auto found = specials_.find(operand); found != specials_.end()) {
        if (bytes != 4) throw Unsupported("a special register of another width");
        return found->second;
    }
    if (const auto found = variables_.find(operand); found != variables_.end())
        return constant(found->second, bytes);
    if (operand == "WARP_SZ") return constant(warp_lanes, bytes);
    if (!is_register(operand) && !kernel_.registers.contains(operand))
        return constant(literal(operand, bytes), bytes);
    if (bytes_of(operand) != bytes) throw Unsupported(operand + " has another width");
    const auto [known, is_new] = registers_.try_emplace(operand, 0);
    if (is_new) known->second = take(bytes);
    return known->second;
}

std::uint32_t Slots::predicate(const std::string& name) {
    if (kernel_.type_of(name) != ".pred") throw Unsupported("no predicate: " + name);
    return known_predicate(name);
}

std::uint32_t Slots::predicate_or_constant(const std::string& operand) {
    if (is_register(operand)) return predicate(operand);
    if (operand == "-1" || operand == "1") return 0;
    if (operand != "0") throw Unsupported("operand '" + operand + "'");
    return known_predicate("never");
}

std::uint32_t Slots::known_predicate(const std::string& name) {
    const auto [known, is_new] = predicates_.try_emplace(name, 0);
    if (is_new) known->second = program_.predicates++;
    return known->second;
}

}  // namespace galapagos::emulator
