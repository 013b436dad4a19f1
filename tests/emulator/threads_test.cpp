// Threads that part and meet: branches, barriers, exchanges, and what ends in an error.
#include <gmock/gmock.h>

#include "emulator/small_kernel.hpp"

namespace galapagos::emulator {
namespace {

using ::testing::HasSubstr;

TEST(Threads, OnlyThoseOfAPredicateAct) {
    const auto words = run_kernel(small_kernel("setp.lt.u32 %p1, %r1, 10;\n"
                                               "mov.u32 %r9, 1;\n@%p1 mov.u32 %r9, 2;\n"
                                               "@!%p1 add.s32 %r9, %r9, 4;\n"
                                               "st.global.u32 [%rd2], %r9;"),
                                  {40});
    for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(words[i], i < 10 ? 2u : 5u) << i;
}

TEST(Threads, LoopsOfDifferentLengthsMeetAgain) {
    // Every thread counts up to its number; the exchange after the loop needs all of them.
    const auto words =
        run_kernel(small_kernel("mov.u32 %r9, 0;\n$again:\n"
                                "setp.ge.u32 %p1, %r9, %r1;\n@%p1 bra $done;\n"
                                "add.s32 %r9, %r9, 1;\nbra.uni $again;\n$done:\n"
                                "shfl.sync.bfly.b32 %r8|%p2, %r9, 1, 31, -1;\n"
                                "st.global.u32 [%rd2], %r8;"));
    for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(words[i], i ^ 1) << i;
}

TEST(Threads, ExchangeWithinPartsOfAWarpThatComeApart) {
    const std::string body =
        "setp.lt.u32 %p1, %r1, 16;\n@%p1 bra $low;\n"
        "shfl.sync.bfly.b32 %r9|%p2, %r1, 15, 31, -65536;\nbra.uni $end;\n"
        "$low:\nshfl.sync.bfly.b32 %r9|%p2, %r1, 3, 31, 65535;\n$end:\n"
        "st.global.u32 [%rd2], %r9;";
    const auto words = run_kernel(small_kernel(body));
    for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(words[i], i ^ (i < 16 ? 3 : 15)) << i;
}

constexpr const char* memory = ".shared .align 4 .b8 memory[512];\n";
const std::string own_word =
    "mov.u32 %r10, memory;\nshl.b32 %r11, %r1, 2;\n"
    "add.s32 %r12, %r10, %r11;\n";
/// Those of the thread beside this one, and of the one that mirrors this one in a block of 128.
const std::string neighbour = "xor.b32 %r13, %r11, 4;\nadd.s32 %r14, %r10, %r13;\n";
const std::string mirrored = "sub.s32 %r13, 508, %r11;\nadd.s32 %r14, %r10, %r13;\n";

TEST(Threads, SeeAfterABarrierWhatOthersWroteBefore) {
    const auto words =
        run_kernel(small_kernel(own_word + mirrored +
                                    "st.shared.u32 [%r12], %r1;\nbar.sync 0;\n"
                                    "ld.shared.u32 %r9, [%r14];\nst.global.u32 [%rd2], %r9;",
                                memory),
                   {128, 3});
    for (std::uint32_t i = 0; i < 384; ++i) EXPECT_EQ(words[i], 127 - i % 128) << i;
}

TEST(Threads, WithoutABarrierItIsARace) {
    EXPECT_THAT(fault_of(small_kernel(own_word + neighbour +
                                          "st.shared.u32 [%r12], %r1;\n"
                                          "ld.shared.u32 %r9, [%r14];\n",
                                      memory),
                         {128}),
                HasSubstr("reads shared memory that thread 1 wrote, with no barrier"));
    EXPECT_THAT(fault_of(small_kernel(own_word + neighbour +
                                          "st.shared.u32 [%r12], %r1;\nbar.sync 0;\n"
                                          "ld.shared.u32 %r9, [%r14];\n"
                                          "st.shared.u32 [%r12], %r9;\n",
                                      memory),
                         {128}),
                AllOf(HasSubstr("kernel test, block 0, thread "),
                      HasSubstr("'st.shared.u32 [%r12], %r9': writes shared memory that other "
                                "threads read")));
}

TEST(Threads, ABarrierOfAWarpOrdersItsThreadsAlone) {
    const auto body = [&](const std::string& barrier, const std::string& other) {
        return small_kernel(own_word + other + "st.shared.u32 [%r12], %r1;\n" + barrier +
                                "ld.shared.u32 %r9, [%r14];\nst.global.u32 [%rd2], %r9;",
                            memory);
    };
    const auto words = run_kernel(body("bar.warp.sync -1;\n", neighbour), {128});
    for (std::uint32_t i = 0; i < 128; ++i) EXPECT_EQ(words[i], i ^ 1) << i;
    EXPECT_THAT(fault_of(body("bar.warp.sync -1;\n", mirrored), {128}),
                HasSubstr("reads shared memory that nobody wrote"));
    EXPECT_THAT(fault_of(body("", neighbour), {128}), HasSubstr("no barrier between them"));
    // An exchange of values orders nothing in memory.
    EXPECT_THAT(fault_of(body("shfl.sync.bfly.b32 %r8|%p2, %r1, 1, 31, -1;\n", neighbour), {128}),
                HasSubstr("no barrier between them"));
}

TEST(Threads, HalvesOfAWarpAreOrderedApart) {
    const std::string half = "setp.lt.u32 %p1, %r1, 16;\nselp.b32 %r20, 65535, -65536, %p1;\n";
    const auto body = [&](int distance) {
        return small_kernel(half + own_word + "xor.b32 %r13, %r11, " + std::to_string(distance) +
                                ";\nadd.s32 %r14, %r10, %r13;\nst.shared.u32 [%r12], %r1;\n"
                                "bar.warp.sync %r20;\nld.shared.u32 %r9, [%r14];\n"
                                "st.global.u32 [%rd2], %r9;",
                            memory);
    };
    EXPECT_EQ(run_kernel(body(32))[3], 11u);
    EXPECT_THAT(fault_of(body(64)), HasSubstr("no barrier between them"));
}

TEST(Threads, ThatWaitForNobodyAreAnError) {
    EXPECT_THAT(fault_of(small_kernel("setp.lt.u32 %p1, %r1, 5;\n@%p1 ret;\nbar.sync 0;"), {64}),
                HasSubstr("some threads have ended while others wait at a barrier"));
    EXPECT_THAT(fault_of(small_kernel("setp.lt.u32 %p1, %r1, 32;\n@%p1 bra $other;\nbar.sync 0;\n"
                                      "bra.uni $end;\n$other:\nbar.sync 0;\n$end:\n"),
                         {64}),
                HasSubstr("warps wait at different barriers"));
    EXPECT_THAT(fault_of(small_kernel("setp.lt.u32 %p1, %r1, 5;\n@%p1 ret;\nbar.warp.sync -1;")),
                HasSubstr("waits for threads of its warp that do not come"));
}

TEST(Threads, AddUpWithAtomicsWhateverTheirOrder) {
    const std::string body =
        "mov.u32 %r10, memory;\nsetp.ne.s32 %p1, %r1, 0;\n"
        "@%p1 bra $wait;\nst.shared.u32 [memory], 0;\n$wait:\nbar.sync 0;\n"
        "atom.shared.add.u32 %r9, [%r10], %r1;\nbar.sync 0;\n"
        "ld.shared.u32 %r9, [memory];\n@%p1 ret;\n"
        "atom.global.add.u32 %r8, [%rd1], %r9;\n"
        "atom.max.u32 %r8, [%rd1+4], %r2;\n"
        "atom.cas.b32 %r8, [%rd1+8], 7, %r2;";
    const auto words = run_kernel(small_kernel(body, memory), {128, 5}, {0, 0, 7, 1});
    EXPECT_EQ(words[0], 5u * (127 * 128 / 2));
    EXPECT_EQ(words[1], 4u);
    EXPECT_LT(words[2], 5u);
    EXPECT_EQ(words[3], 1u);
}

TEST(Threads, AtomicsAndPlainAccessesOfOthersAreARace) {
    const std::string body =
        "mov.u32 %r10, memory;\nsetp.ne.s32 %p1, %r1, 0;\n"
        "@%p1 bra $add;\nst.shared.u32 [memory], 0;\n$add:\n"
        "atom.shared.add.u32 %r9, [%r10], %r1;\n";
    EXPECT_THAT(fault_of(small_kernel(body, memory), {64}), HasSubstr("no barrier between them"));
}

}  // namespace
}  // namespace galapagos::emulator
