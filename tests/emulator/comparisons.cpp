// Predicates and choices.
#include <cstdint>

#include "emulator/operations.hpp"

namespace galapagos::emulator {
namespace {

template <auto op, typename T>
void compare(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const T* const a = warp.lanes<T>(instruction.operands[1]);
    const T* const b = warp.lanes<T>(instruction.operands[2]);
    LaneMask holds = 0;
    for (int lane = 0; lane < warp_lanes; ++lane)
        holds |= static_cast<LaneMask>(op(a[lane], b[lane])) << lane;
    LaneMask& result = warp.predicate(instruction.operands[0]);
    result = (result & ~lanes) | (holds & lanes);
}

template <auto op, typename T>
Operation comparison() {
    return {compare<op, T>, std::string("p").append(widths<T, T>())};
}

template <typename T>
void choose(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    T* const result = warp.lanes<T>(instruction.operands[0]);
    const T* const a = warp.lanes<T>(instruction.operands[1]);
    const T* const b = warp.lanes<T>(instruction.operands[2]);
    const LaneMask first = warp.predicate(instruction.operands[3]);
#pragma GCC ivdep
    for (int lane = 0; lane < warp_lanes; ++lane) {
        const T made = first >> lane & 1 ? a[lane] : b[lane];
        result[lane] = lanes >> lane & 1 ? made : result[lane];
    }
}

template <auto op>
void combine(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const LaneMask made =
        op(warp.predicate(instruction.operands[1]), warp.predicate(instruction.operands[2]));
    LaneMask& result = warp.predicate(instruction.operands[0]);
    result = (result & ~lanes) | (made & lanes);
}

void copy_predicate(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    LaneMask& result = warp.predicate(instruction.operands[0]);
    result = (result & ~lanes) | (warp.predicate(instruction.operands[1]) & lanes);
}

void invert(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    LaneMask& result = warp.predicate(instruction.operands[0]);
    result = (result & ~lanes) | (~warp.predicate(instruction.operands[1]) & lanes);
}

/// Comparisons with NaN are false, of floating-point numbers.
template <typename T>
void add_ordered(const std::string& type, Operations& operations) {
    operations["setp.eq." + type] = comparison<[](T a, T b) { return a == b; }, T>();
    operations["setp.lt." + type] = comparison<[](T a, T b) { return a < b; }, T>();
    operations["setp.le." + type] = comparison<[](T a, T b) { return a <= b; }, T>();
    operations["setp.gt." + type] = comparison<[](T a, T b) { return b < a; }, T>();
    operations["setp.ge." + type] = comparison<[](T a, T b) { return a >= b; }, T>();
}

template <typename T>
void add_integer(const std::string& type, Operations& operations) {
    add_ordered<T>(type, operations);
    operations["setp.ne." + type] = comparison<[](T a, T b) { return a != b; }, T>();
}

template <typename T>
void add_float(const std::string& type, Operations& operations) {
    add_ordered<T>(type, operations);
    operations["setp.ne." + type] =
        comparison<[](T a, T b) { return a != b && a == a && b == b; }, T>();
    operations["setp.nan." + type] = comparison<[](T a, T b) { return a != a || b != b; }, T>();
    operations["setp.num." + type] = comparison<[](T a, T b) { return a == a && b == b; }, T>();
    operations["setp.equ." + type] =
        comparison<[](T a, T b) { return a == b || a != a || b != b; }, T>();
    operations["setp.neu." + type] = comparison<[](T a, T b) { return a != b; }, T>();
    operations["setp.ltu." + type] = comparison<[](T a, T b) { return !(a >= b); }, T>();
    operations["setp.leu." + type] = comparison<[](T a, T b) { return !(b < a); }, T>();
    operations["setp.gtu." + type] = comparison<[](T a, T b) { return !(a <= b); }, T>();
    operations["setp.geu." + type] = comparison<[](T a, T b) { return !(a < b); }, T>();
}

template <typename T>
void add_choice(const std::string& bits, Operations& operations) {
    for (const std::string type : {"b", "u", "s", "f"})
        operations["selp." + type + bits] = {choose<T>, widths<T, T, T>().append("p")};
}

}  // namespace

void add_comparisons(Operations& operations) {
    add_integer<std::int16_t>("s16", operations);
    add_integer<std::uint16_t>("u16", operations);
    add_integer<std::uint16_t>("b16", operations);
    add_integer<std::int32_t>("s32", operations);
    add_integer<std::uint32_t>("u32", operations);
    add_integer<std::uint32_t>("b32", operations);
    add_integer<std::int64_t>("s64", operations);
    add_integer<std::uint64_t>("u64", operations);
    add_integer<std::uint64_t>("b64", operations);
    add_float<float>("f32", operations);
    add_float<double>("f64", operations);
    add_choice<std::uint16_t>("16", operations);
    add_choice<std::uint32_t>("32", operations);
    add_choice<std::uint64_t>("64", operations);
    operations["and.pred"] = {combine<[](LaneMask a, LaneMask b) { return a & b; }>, "ppp"};
    operations["or.pred"] = {combine<[](LaneMask a, LaneMask b) { return a | b; }>, "ppp"};
    operations["xor.pred"] = {combine<[](LaneMask a, LaneMask b) { return a ^ b; }>, "ppp"};
    operations["not.pred"] = {invert, "pp"};
    operations["mov.pred"] = {copy_predicate, "pp"};
}

}  // namespace galapagos::emulator
