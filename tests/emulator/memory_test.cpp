// Memory: what is read and written, and what is reported.
#include <gmock/gmock.h>

#include "emulator/small_kernel.hpp"

namespace galapagos::emulator {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Memory, NarrowValuesKeepOrLoseTheirSign) {
    const std::vector<std::uint32_t> words{0x8001FF80, 0};
    const auto read = [&](const std::string& how) {
        return run_kernel(small_kernel(how + "\nst.global.u32 [%rd1+4], %r9;"), {1}, words)[1];
    };
    EXPECT_EQ(read("ld.global.u8 %r9, [%rd1+1];"), 0xFFu);
    EXPECT_EQ(read("ld.global.s8 %r9, [%rd1+1];"), 0xFFFFFFFFu);
    EXPECT_EQ(read("ld.global.u16 %rs1, [%rd1+2]; cvt.u32.u16 %r9, %rs1;"), 0x8001u);
    EXPECT_EQ(read("ld.s16 %r9, [%rd1+2];"), 0xFFFF8001u);
    EXPECT_EQ(read("ld.global.s32 %rd9, [%rd1]; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9;"),
              0xFFFFFFFFu);
    EXPECT_EQ(read("ld.global.u32 %r9, [%rd1]; st.global.u8 [%rd1+5], %r9;"
                   "ld.global.u32 %r9, [%rd1+4];"),
              0x8000u);
}

TEST(Memory, SeveralWordsMoveAtOnce) {
    EXPECT_THAT(run_kernel(small_kernel("ld.global.v2.u32 {%r5, %r6}, [%rd1];\n"
                                        "st.global.v4.u32 [%rd1+16], {%r6, %r5, 9, %r6};"),
                           {1}, {1, 2, 0, 0, 0, 0, 0, 0}),
                ElementsAre(1, 2, 0, 0, 2, 1, 9, 2));
}

TEST(Memory, SharedMemoryHasGenericAddresses) {
    const std::string body =
        "mov.u64 %rd5, memory;\ncvta.shared.u64 %rd6, %rd5;\n"
        "st.u32 [%rd6+8], 77;\nld.shared.u32 %r9, [memory+8];";
    EXPECT_EQ(run_kernel(small_kernel(body + "st.global.u32 [%rd2], %r9;",
                                      ".shared .align 8 .b8 memory[16];\n"),
                         {1})[0],
              77u);
}

TEST(Memory, AccessesBesideAllocationsAreReported) {
    EXPECT_THAT(fault_of(small_kernel("st.global.u32 [%rd2+8], %r1;"), {32, 2}),
                AllOf(HasSubstr("kernel test, block 1, thread 30, line "),
                      HasSubstr("are in no allocation")));
    EXPECT_THAT(fault_of(small_kernel("ld.global.u32 %r9, [%rd1+-4];")),
                HasSubstr("are in no allocation"));
    EXPECT_THAT(fault_of(small_kernel("ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd1];"), {2}),
                HasSubstr("reach over the end of an allocation of 8"));
    EXPECT_THAT(fault_of(small_kernel("mov.u64 %rd9, 0;\nld.u32 %r9, [%rd9];")),
                HasSubstr("are in no allocation"));
    EXPECT_THAT(fault_of(small_kernel("ld.global.u32 %r9, [%rd1+2];")), HasSubstr("misaligned"));
}

TEST(Memory, AccessesBesideSharedMemoryAreReported) {
    const std::string memory = ".shared .align 8 .b8 memory[16];\n";
    EXPECT_THAT(fault_of(small_kernel("st.shared.u32 [memory+16], 1;", memory)),
                HasSubstr("lie outside of the block's 16"));
    EXPECT_THAT(fault_of(small_kernel("st.shared.u32 [memory+2], 1;", memory)),
                HasSubstr("misaligned"));
    EXPECT_THAT(fault_of(small_kernel("ld.shared.u32 %r9, [memory+4];", memory)),
                HasSubstr("reads shared memory that nobody wrote"));
}

TEST(Memory, BlocksThatMeetInGlobalMemoryAreReported) {
    // Block i reads word i + 1, which block i + 1 writes.
    const std::string shifted =
        "mul.wide.u32 %rd9, %r2, 4;\nadd.s64 %rd9, %rd1, %rd9;\n"
        "ld.global.u32 %r9, [%rd9+4];\n";
    EXPECT_THAT(fault_of(small_kernel(shifted + "st.global.u32 [%rd9], %r9;"), {2, 1}), "no fault");
    const auto fault = [](const std::string& body) {
        return fault_of(
            ".visible .entry test(.param .u64 buffer)\n{\n.reg .b32 %r<20>;\n"
            ".reg .b64 %rd<20>;\nld.param.u64 %rd1, [buffer];\n"
            "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\n" +
                body + "ret;\n}\n",
            {64, 3});
    };
    EXPECT_THAT(fault("st.global.u32 [%rd1], %r2;\n"),
                AllOf(HasSubstr("writes bytes at"), HasSubstr(" that another ")));
    EXPECT_THAT(fault("mul.wide.u32 %rd9, %r2, 4;\nadd.s64 %rd9, %rd1, %rd9;\n"
                      "ld.global.u32 %r9, [%rd9+4];\nst.global.u32 [%rd9+8], %r9;\n"),
                HasSubstr("with no order between them"));
    EXPECT_EQ(fault("atom.global.add.u32 %r9, [%rd1], 1;\n"), "no fault");
    EXPECT_THAT(fault("atom.global.add.u32 %r9, [%rd1], 1;\nld.global.u32 %r9, [%rd1];\n"),
                HasSubstr("with no order between them"));
}

TEST(Memory, ABarrierOrdersAccessesOfItsBlockToGlobalMemory) {
    const auto body = [](const std::string& barrier) {
        return small_kernel(
            "xor.b32 %r10, %r1, 32;\nmul.wide.u32 %rd9, %r10, 4;\n"
            "add.s64 %rd9, %rd1, %rd9;\nst.global.u32 [%rd2], %r1;\n" +
            barrier + "ld.global.u32 %r9, [%rd9];");
    };
    EXPECT_EQ(fault_of(body("bar.sync 0;\n"), {64}), "no fault");
    EXPECT_THAT(fault_of(body(""), {64}), HasSubstr("that another warp "));
}

TEST(Memory, NeighbouringBytesAreDifferentPlaces) {
    const std::string own =
        "cvt.u64.u32 %rd9, %r4;\nadd.s64 %rd9, %rd1, %rd9;\n"
        "st.global.u8 [%rd9], %r4;\n";
    EXPECT_EQ(run_kernel(small_kernel(own), {1, 8}, {0, 0})[1], 0x07060504u);
}

TEST(Memory, NothingIsLeftFromTheBlockBefore) {
    const std::string body =
        "setp.ne.s32 %p1, %r2, 0;\n@%p1 bra $read;\n"
        "st.shared.u32 [memory], 1;\nret;\n$read:\nld.shared.u32 %r9, "
        "[memory];";
    EXPECT_THAT(fault_of(small_kernel(body, ".shared .align 4 .b8 memory[4];\n"), {1, 2}),
                HasSubstr("reads shared memory that nobody wrote"));
}

TEST(Memory, DynamicSharedMemoryFollowsTheStatic) {
    const std::string ptx = ".extern .shared .align 16 .b8 rest[];\n" +
                            small_kernel(
                                "st.shared.u32 [rest+12], 5;\nst.shared.u32 [memory], 6;\n"
                                "ld.shared.u32 %r9, [rest+12];\nst.global.u32 [%rd2], %r9;",
                                ".shared .align 4 .b8 memory[4];\n");
    EXPECT_EQ(run_kernel(ptx, {1, 1, 16})[0], 5u);
    EXPECT_THAT(fault_of(ptx, {1, 1, 8}), HasSubstr("lie outside of the block's 24"));
}

TEST(Memory, NewMemoryIsNotANumber) {
    void* const memory = device_memory().allocate(4, MemoryKind::device);
    float value = 0;
    std::memcpy(&value, device_bytes(memory, 4, "test"), 4);
    EXPECT_NE(value, value);
    EXPECT_TRUE(device_memory().release(memory, false));
    EXPECT_EQ(device_memory().find(reinterpret_cast<std::uint64_t>(memory)), nullptr);
    EXPECT_FALSE(device_memory().release(memory, false));
}

}  // namespace
}  // namespace galapagos::emulator
