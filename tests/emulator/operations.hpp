// What opcodes do to lanes.
#pragma once

#include <string>
#include <unordered_map>

#include "emulator/warp.hpp"

namespace galapagos::emulator {

/// An opcode whose operands are registers and constants of certain widths: "844" has a result of
/// eight bytes and takes two operands of four; p is a predicate.
struct Operation {
    Run run = nullptr;
    std::string operands;
};
using Operations = std::unordered_map<std::string, Operation>;

void add_arithmetic(Operations& operations);
void add_float_arithmetic(Operations& operations);
void add_comparisons(Operations& operations);
void add_conversions(Operations& operations);

/// result[lane] = op(values[lane]...) for the lanes of the mask. All lanes are computed, so that
/// compilers make vector code of it: op must do no harm on any bits.
template <auto op, typename Result, typename... Values>
void on_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const auto apply = [&]<std::size_t... i>(std::index_sequence<i...>) {
        const auto compute = [&](const Values*... values) {
            Result* const result = warp.lanes<Result>(instruction.operands[0]);
            if (lanes == all_lanes) {
#pragma GCC ivdep
                for (int lane = 0; lane < warp_lanes; ++lane) result[lane] = op(values[lane]...);
            } else {
#pragma GCC ivdep
                for (int lane = 0; lane < warp_lanes; ++lane) {
                    const Result made = op(values[lane]...);
                    result[lane] = lanes >> lane & 1 ? made : result[lane];
                }
            }
        };
        compute(warp.lanes<Values>(instruction.operands[i + 1])...);
    };
    apply(std::index_sequence_for<Values...>());
}

/// The same, for the lanes of the mask alone: op may fail.
template <auto op, typename Result, typename... Values>
void lane_by_lane(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const auto apply = [&]<std::size_t... i>(std::index_sequence<i...>) {
        Result* const result = warp.lanes<Result>(instruction.operands[0]);
        for (LaneMask left = lanes; left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            result[lane] = op(lane, warp.lanes<Values>(instruction.operands[i + 1])[lane]...);
        }
    };
    apply(std::index_sequence_for<Values...>());
}

template <typename... Types>
std::string widths() {
    return {static_cast<char>('0' + sizeof(Types))...};
}

template <auto op, typename Result, typename... Values>
Operation vector_operation() {
    return {on_lanes<op, Result, Values...>, widths<Result, Values...>()};
}
template <auto op, typename Result, typename... Values>
Operation lane_operation() {
    return {lane_by_lane<op, Result, Values...>, widths<Result, Values...>()};
}

}  // namespace galapagos::emulator
