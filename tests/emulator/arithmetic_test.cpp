// Instructions of single threads: results by hand and from the PTX manual.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "emulator/fault.hpp"
#include "emulator/small_kernel.hpp"

namespace galapagos::emulator {
namespace {

using ::testing::HasSubstr;

TEST(Arithmetic, WholeNumbersWrapAround) {
    EXPECT_EQ(result_of("add.s32 %r9, -1, 3;"), 2u);
    EXPECT_EQ(result_of("sub.s32 %r9, 2, 3;"), 0xFFFFFFFFu);
    EXPECT_EQ(result_of("mul.lo.s32 %r9, 0x10001, 0x10001;"), 0x20001u);
    EXPECT_EQ(result_of("mad.lo.s32 %r9, 7, 6, -2;"), 40u);
    EXPECT_EQ(result_of("mul.wide.s32 %rd9, -2, 3; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9;"),
              0xFFFFFFFFu);
    EXPECT_EQ(result_of("mul.wide.u32 %rd9, -2, 3; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9;"),
              2u);
}

TEST(Arithmetic, DivisionGoesTowardsZero) {
    EXPECT_EQ(result_of("div.s32 %r9, -7, 2;"), static_cast<std::uint32_t>(-3));
    EXPECT_EQ(result_of("rem.s32 %r9, -7, 2;"), static_cast<std::uint32_t>(-1));
    EXPECT_EQ(result_of("div.u32 %r9, -7, 2;"), 0x7FFFFFFCu);
    EXPECT_EQ(result_of("div.s32 %r9, -2147483648, -1;"), 0x80000000u);
    EXPECT_THAT(fault_of(small_kernel("div.u32 %r9, %r3, 0;")), HasSubstr("by zero"));
}

TEST(Arithmetic, ShiftsBeyondTheWidthLeaveNothingOrTheSign) {
    EXPECT_EQ(result_of("mov.u32 %r5, 32; shl.b32 %r9, 1, %r5;"), 0u);
    EXPECT_EQ(result_of("mov.u32 %r5, 40; shr.u32 %r9, -1, %r5;"), 0u);
    EXPECT_EQ(result_of("mov.u32 %r5, 40; shr.s32 %r9, -5, %r5;"), 0xFFFFFFFFu);
    EXPECT_EQ(result_of("shl.b64 %rd9, 1, 33; shr.u64 %rd9, %rd9, 32; cvt.u32.u64 %r9, %rd9;"), 2u);
}

TEST(Arithmetic, BytesArePermuted) {
    EXPECT_EQ(result_of("mov.u32 %r5, 0x33221100; prmt.b32 %r9, %r5, 0x77665544, 0x7531;"),
              0x77553311u);
    // With the digit's highest bit the byte's sign in all places.
    EXPECT_EQ(result_of("mov.u32 %r5, 0x00008000; prmt.b32 %r9, %r5, 0, 0x9890;"), 0xFF00FF00u);
    EXPECT_EQ(result_of("bfi.b32 %r9, 0xFF, 0x12345678, 8, 4;"), 0x12345F78u);
    EXPECT_EQ(result_of("popc.b32 %r9, 0xF0F1;"), 9u);
}

TEST(Arithmetic, FloatsAreRoundedOnce) {
    // 1 + 2^-12 squared has a bit that only a fused product keeps.
    const std::string x = "mov.f32 %f1, 0f3F800800; mov.f32 %f2, 0fBF801000;";
    EXPECT_EQ(float_of(x + "fma.rn.f32 %f9, %f1, %f1, %f2;"), 0x1p-24f);
    EXPECT_EQ(float_of(x + "mul.rn.f32 %f3, %f1, %f1; add.rn.f32 %f9, %f3, %f2;"), 0.0f);
    EXPECT_EQ(float_of("mov.f32 %f1, 0f40400000; rcp.rn.f32 %f9, %f1;"), 1.0f / 3);
    EXPECT_EQ(float_of("mov.f32 %f1, 0f00000001; add.rn.f32 %f9, %f1, %f1;"), 0x1p-148f);
    EXPECT_EQ(float_of("mov.f32 %f1, 0f40000000; sqrt.rn.f32 %f9, %f1;"), std::sqrt(2.0f));
    EXPECT_EQ(float_of("mov.f32 %f1, 0f40400000; ex2.approx.ftz.f32 %f9, %f1;"), 8.0f);
}

TEST(Arithmetic, NotANumberIsOneNumberAndGivesWayInExtremes) {
    const std::string nan = "mov.f32 %f1, 0fFFC12345; mov.f32 %f2, 0f3F800000;";
    EXPECT_EQ(result_of(nan + "add.rn.f32 %f3, %f1, %f2; mov.b32 %r9, %f3;"), 0x7FFFFFFFu);
    EXPECT_EQ(float_of(nan + "max.f32 %f9, %f1, %f2;"), 1.0f);
    EXPECT_EQ(float_of(nan + "min.f32 %f9, %f2, %f1;"), 1.0f);
    EXPECT_EQ(result_of("min.f32 %f3, 0f00000000, 0f80000000; mov.b32 %r9, %f3;"), 0x80000000u);
    EXPECT_EQ(float_of("copysign.f32 %f9, 0f80000000, 0f40000000;"), -2.0f);
}

TEST(Arithmetic, ComparisonsKnowOfNotANumber) {
    const auto holds = [](const std::string& how) {
        return result_of("mov.f32 %f1, 0f7FC00000; mov.f32 %f2, 0f3F800000; setp." + how +
                         ".f32 %p1, %f1, %f2; selp.u32 %r9, 1, 0, %p1;") == 1;
    };
    for (const char* false_one : {"eq", "ne", "lt", "le", "gt", "ge", "num"})
        EXPECT_FALSE(holds(false_one)) << false_one;
    for (const char* true_one : {"equ", "neu", "ltu", "leu", "gtu", "geu", "nan"})
        EXPECT_TRUE(holds(true_one)) << true_one;
    EXPECT_EQ(result_of("setp.lt.s32 %p1, -1, 1; selp.u32 %r9, 1, 0, %p1;"), 1u);
    EXPECT_EQ(result_of("setp.lt.u32 %p1, -1, 1; selp.u32 %r9, 1, 0, %p1;"), 0u);
}

TEST(Arithmetic, ConversionsClampAndRound) {
    EXPECT_EQ(result_of("mov.f32 %f1, 0fC0200000; cvt.rzi.s32.f32 %r9, %f1;"),
              static_cast<std::uint32_t>(-2));
    EXPECT_EQ(result_of("mov.f32 %f1, 0f7F800000; cvt.rzi.s32.f32 %r9, %f1;"), 0x7FFFFFFFu);
    EXPECT_EQ(result_of("mov.f32 %f1, 0f7FC00000; cvt.rzi.s32.f32 %r9, %f1;"), 0u);
    EXPECT_EQ(float_of("cvt.rn.f32.u32 %f9, 16777217;"), 16777216.0f);
    EXPECT_EQ(float_of("mov.f64 %fd1, 0d3FF0000010000001; cvt.rn.f32.f64 %f9, %fd1;"),
              std::nextafter(1.0f, 2.0f));
    EXPECT_EQ(result_of("mov.f32 %f1, 0f3F808000; mov.f32 %f2, 0f3F818000;"
                        "cvt.rn.bf16x2.f32 %r9, %f2, %f1;"),
              0x3F823F80u);
    EXPECT_EQ(result_of("mov.f32 %f1, 0fFFC00001; mov.f32 %f2, 0f7F7FFFFF;"
                        "cvt.rn.bf16x2.f32 %r9, %f1, %f2;"),
              0x7FFF7F80u);
    EXPECT_EQ(result_of("mov.u64 %rd5, 0xFFFFFFFF; cvt.s64.s32 %rd6, %rd5;"
                        "shr.u64 %rd6, %rd6, 60; cvt.u32.u64 %r9, %rd6;"),
              15u);
}

TEST(Arithmetic, WhatIsNotKnownIsNamed) {
    try {
        result_of("sin.approx.f32 %f9, %f1;");
        FAIL();
    } catch (const Unsupported& error) {
        EXPECT_THAT(error.what(), HasSubstr("opcode sin.approx.f32"));
    }
}

}  // namespace
}  // namespace galapagos::emulator
