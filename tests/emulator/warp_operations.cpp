#include "emulator/warp_operations.hpp"

#include <bit>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

constexpr int rows = 16, columns = 8, depth = 16;

float widened(std::uint32_t word, int half) {
    return std::bit_cast<float>(half == 0 ? word << 16 : word & 0xFFFF0000u);
}

/// Which element of a or b a lane's word holds in its lower half: (row, column) and (column, row).
/// The upper half is the next one along the sum.
struct Place {
    int line = 0, at = 0;
};
Place of_a(int lane, int word) { return {lane / 4 + word % 2 * 8, lane % 4 * 2 + word / 2 * 8}; }
Place of_b(int lane, int word) { return {lane / 4, lane % 4 * 2 + word * 8}; }

/// The whole product. Matrix units add up in an order of their own: here it is one sum in double
/// precision, rounded once.
void multiply(Warp& warp, const Instruction& instruction) {
    float a[rows][depth], b[columns][depth];
    const auto word = [&](int operand, int lane) {
        return warp.lanes<std::uint32_t>(instruction.operands[operand])[lane];
    };
    for (int lane = 0; lane < warp_lanes; ++lane)
        for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 4; ++i) {
                const Place place = of_a(lane, i);
                a[place.line][place.at + half] = widened(word(4 + i, lane), half);
            }
            for (int i = 0; i < 2; ++i) {
                const Place place = of_b(lane, i);
                b[place.line][place.at + half] = widened(word(8 + i, lane), half);
            }
        }
    for (int lane = 0; lane < warp_lanes; ++lane)
        for (int i = 0; i < 4; ++i) {
            const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            double sum = warp.lanes<float>(instruction.operands[10 + i])[lane];
            for (int k = 0; k < depth; ++k) sum += double{a[row][k]} * double{b[column][k]};
            warp.lanes<float>(instruction.operands[i])[lane] =
                sum == sum ? static_cast<float>(sum)
                           : std::bit_cast<float>(std::uint32_t{0x7FFFFFFF});
        }
}

}  // namespace

void exchange_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const auto* values = warp.lanes<std::uint32_t>(instruction.operands[1]);
    const auto* distances = warp.lanes<std::uint32_t>(instruction.operands[2]);
    const auto* together = warp.lanes<LaneMask>(instruction.operands[4]);
    auto* results = warp.lanes<std::uint32_t>(instruction.operands[0]);
    warp.meet(lanes, together, [&](LaneMask members) {
        std::uint32_t made[warp_lanes];
        for (LaneMask left = members; left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            const int other = lane ^ static_cast<int>(distances[lane]);
            if (other >= warp_lanes || (members >> other & 1) == 0)
                throw Fault("reads from a lane that does not take part", lane);
            made[lane] = values[other];
        }
        for (LaneMask left = members; left != 0; left &= left - 1)
            results[__builtin_ctz(left)] = made[__builtin_ctz(left)];
        if (instruction.number >= 0)
            warp.predicate(static_cast<std::uint32_t>(instruction.number)) |= members;
    });
}

void synchronize_lanes(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    warp.meet(lanes, warp.lanes<LaneMask>(instruction.operands[0]),
              [&](LaneMask members) { warp.synchronize(members); });
}

void multiply_tiles(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    LaneMask together[warp_lanes];
    for (LaneMask& one : together) one = all_lanes;
    warp.meet(lanes, together, [&](LaneMask) { multiply(warp, instruction); });
}

void branch(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    warp.branch(lanes, static_cast<std::size_t>(instruction.number));
}

void end_threads(Warp& warp, const Instruction&, LaneMask lanes) { warp.end(lanes); }

void wait_for_block(Warp& warp, const Instruction&, LaneMask lanes) { warp.wait_for_block(lanes); }

}  // namespace galapagos::emulator
