// The matrix unit, against the tables of the PTX manual ("Matrix Fragments for mma.m16n8k16 with
// floating point type"), written down here in the manual's own words.
#include <gtest/gtest.h>

#include "emulator/small_kernel.hpp"

namespace galapagos::emulator {
namespace {

/// Small whole numbers, exact in bf16.
int a_at(int row, int column) { return (row * 5 + column * 3) % 17 - 8; }
int b_at(int row, int column) { return (row * 7 + column * 11) % 13 - 6; }
int c_at(int row, int column) { return row * 10 + column; }

std::uint32_t bf16(int value) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> 16;
}

/// row = groupID for ai where 0 <= i < 2 || 4 <= i < 6, groupID + 8 otherwise;
/// column = (threadID_in_group * 2) + (i & 0x1) for ai where i < 4, + 8 where i >= 4.
std::uint32_t a_word(int lane, int word) {
    std::uint32_t made = 0;
    for (int half = 0; half < 2; ++half) {
        const int i = word * 2 + half, group = lane >> 2, in_group = lane % 4;
        const int row = (i < 2 || (4 <= i && i < 6)) ? group : group + 8;
        const int column = in_group * 2 + (i & 1) + (i < 4 ? 0 : 8);
        made |= bf16(a_at(row, column)) << (16 * half);
    }
    return made;
}

/// row = (threadID_in_group * 2) + (i & 0x1) for bi where i < 2, + 8 where i >= 2; col = groupID.
std::uint32_t b_word(int lane, int word) {
    std::uint32_t made = 0;
    for (int half = 0; half < 2; ++half) {
        const int i = word * 2 + half;
        const int row = lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8);
        made |= bf16(b_at(row, lane >> 2)) << (16 * half);
    }
    return made;
}

TEST(Tiles, AreMultipliedAsTheManualDealsThemOut) {
    // Ten words a lane: 4 of a, 2 of b, 4 of c, of which the last are replaced.
    std::vector<std::uint32_t> words(32 * 10);
    const auto row_of = [](int lane, int i) { return (lane >> 2) + (i < 2 ? 0 : 8); };
    const auto column_of = [](int lane, int i) { return lane % 4 * 2 + (i & 1); };
    for (int lane = 0; lane < 32; ++lane) {
        std::uint32_t* mine = &words[static_cast<std::size_t>(lane) * 10];
        for (int i = 0; i < 4; ++i) mine[i] = a_word(lane, i);
        for (int i = 0; i < 2; ++i) mine[4 + i] = b_word(lane, i);
        for (int i = 0; i < 4; ++i)
            mine[6 + i] = std::bit_cast<std::uint32_t>(
                static_cast<float>(c_at(row_of(lane, i), column_of(lane, i))));
    }
    std::string body = "mul.wide.u32 %rd4, %r1, 40;\nadd.s64 %rd5, %rd1, %rd4;\n";
    for (int i = 0; i < 6; ++i)
        body +=
            "ld.global.u32 %r1" + std::to_string(i) + ", [%rd5+" + std::to_string(4 * i) + "];\n";
    for (int i = 0; i < 4; ++i)
        body += "ld.global.f32 %f" + std::to_string(i) + ", [%rd5+" + std::to_string(24 + 4 * i) +
                "];\n";
    body +=
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, "
        "{%r10, %r11, %r12, %r13}, {%r14, %r15}, {%f0, %f1, %f2, %f3};\n";
    for (int i = 0; i < 4; ++i)
        body += "st.global.f32 [%rd5+" + std::to_string(24 + 4 * i) + "], %f" + std::to_string(i) +
                ";\n";
    words = run_kernel(small_kernel(body), {32}, words);
    for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < 4; ++i) {
            const int row = row_of(lane, i), column = column_of(lane, i);
            int expected = c_at(row, column);
            for (int k = 0; k < 16; ++k) expected += a_at(row, k) * b_at(k, column);
            EXPECT_EQ(
                std::bit_cast<float>(
                    words[static_cast<std::size_t>(lane) * 10 + 6 + static_cast<std::size_t>(i)]),
                static_cast<float>(expected))
                << row << ", " << column;
        }
}

}  // namespace
}  // namespace galapagos::emulator
