#include "weights/dtype.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

constexpr InstructionSet all_sets[] = {InstructionSet::portable, InstructionSet::avx2,
                                       InstructionSet::avx512, InstructionSet::amx};

/// Exact value of a finite half, by definition.
double half_value(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const double mantissa = bits & 1023;
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::uint16_t convert_one(float value, DType dtype) {
    std::uint16_t bits = 0;
    from_float(&value, 1, &bits, dtype);
    return bits;
}

std::vector<std::uint16_t> all_patterns() {
    std::vector<std::uint16_t> patterns(65536);
    for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<std::uint16_t>(i);
    return patterns;
}

/// Bit patterns of every kind: random ones, and the neighbourhoods of rounding boundaries.
std::vector<float> awkward_floats() {
    std::vector<float> values;
    RandomStream stream(5, 0, Purpose::test, 0);
    for (int i = 0; i < 200'000; ++i) values.push_back(std::bit_cast<float>(stream.next_u32()));
    for (std::uint32_t high = 0; high < 65536; high += 7) {
        for (const std::uint32_t low :
             {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu, 0x0FFFu, 0x1000u, 0x1001u}) {
            values.push_back(std::bit_cast<float>(high << 16 | low));
        }
    }
    return values;
}

TEST(DType, NamesGoThereAndBack) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i64,
                              DType::u8, DType::boolean, DType::f8_e4m3}) {
        EXPECT_EQ(parse_dtype(name_of(dtype)), dtype);
        EXPECT_EQ(parse_dtype(torch_name_of(dtype)), dtype);
    }
    EXPECT_EQ(parse_dtype("torch.bfloat16"), DType::bf16);
    EXPECT_EQ(parse_dtype("half"), DType::f16);
    EXPECT_EQ(parse_dtype("F4"), std::nullopt);
    EXPECT_EQ(size_of(DType::bf16), 2u);
    EXPECT_EQ(size_of(DType::i64), 8u);
}

TEST(DType, HalfToFloatIsExactForEveryPattern) {
    const auto patterns = all_patterns();
    std::vector<float> values(patterns.size());
    for (const auto set : all_sets) {
        if (!use_instruction_set(set)) continue;
        to_float(patterns.data(), DType::f16, values.data(), values.size());
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            const bool special = (patterns[i] & 0x7C00) == 0x7C00;
            if (!special) {
                ASSERT_EQ(values[i], half_value(patterns[i])) << i;
            } else if ((patterns[i] & 0x3FF) == 0) {
                ASSERT_EQ(values[i], (patterns[i] & 0x8000) != 0 ? -INFINITY : INFINITY) << i;
            } else {
                ASSERT_TRUE(std::isnan(values[i])) << i;
            }
        }
    }
}

TEST(DType, EveryPatternSurvivesTheRoundTrip) {
    const auto patterns = all_patterns();
    std::vector<float> values(patterns.size());
    std::vector<std::uint16_t> back(patterns.size());
    for (const auto set : all_sets) {
        if (!use_instruction_set(set)) continue;
        for (const DType dtype : {DType::f16, DType::bf16}) {
            to_float(patterns.data(), dtype, values.data(), values.size());
            from_float(values.data(), values.size(), back.data(), dtype);
            for (std::size_t i = 0; i < patterns.size(); ++i) {
                if (std::isnan(values[i])) continue;
                ASSERT_EQ(back[i], patterns[i]) << name_of(dtype);
            }
        }
    }
}

TEST(DType, RoundsToNearestEven) {
    EXPECT_EQ(convert_one(1.0f + 0x1p-8f, DType::bf16), 0x3F80);      // tie: down to even
    EXPECT_EQ(convert_one(1.0f + 3 * 0x1p-8f, DType::bf16), 0x3F82);  // tie: up to even
    EXPECT_EQ(convert_one(1.0f + 0x1.01p-8f, DType::bf16), 0x3F81);   // above the tie
    EXPECT_EQ(convert_one(3.4e38f, DType::bf16), 0x7F80);             // overflow
    EXPECT_EQ(convert_one(std::bit_cast<float>(0x00018000u), DType::bf16),
              0x0002);  // subnormal tie
    EXPECT_EQ(convert_one(NAN, DType::bf16), 0x7FC0);
    EXPECT_EQ(convert_one(1.0f + 0x1p-11f, DType::f16), 0x3C00);
    EXPECT_EQ(convert_one(1.0f + 3 * 0x1p-11f, DType::f16), 0x3C02);
    EXPECT_EQ(convert_one(65519.0f, DType::f16), 0x7BFF);
    EXPECT_EQ(convert_one(65520.0f, DType::f16), 0x7C00);
    EXPECT_EQ(convert_one(0x1p-25f, DType::f16), 0x0000);  // half the least subnormal
    EXPECT_EQ(convert_one(0x1.8p-24f, DType::f16), 0x0002);
    EXPECT_EQ(convert_one(-0.0f, DType::f16), 0x8000);
}

TEST(DType, AllInstructionSetsGiveTheSameBits) {
    const auto values = awkward_floats();
    for (const DType dtype : {DType::f16, DType::bf16}) {
        std::vector<std::uint16_t> reference(values.size());
        ASSERT_TRUE(use_instruction_set(InstructionSet::portable));
        from_float(values.data(), values.size(), reference.data(), dtype);
        for (const auto set : all_sets) {
            if (!use_instruction_set(set)) continue;
            std::vector<std::uint16_t> result(values.size());
            from_float(values.data(), values.size(), result.data(), dtype);
            EXPECT_EQ(result, reference) << name_of(dtype);
        }
    }
}

TEST(DType, AcceptsAnyAlignmentAndLength) {
    for (std::size_t count = 0; count < 40; ++count) {
        std::vector<float> values(count);
        for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) - 3.0f;
        for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
            std::vector<std::byte> bytes(count * size_of(dtype) + 1);
            from_float(values.data(), count, bytes.data() + 1, dtype);
            std::vector<float> back(count);
            to_float(bytes.data() + 1, dtype, back.data(), count);
            EXPECT_EQ(back, values);
        }
    }
}

TEST(DType, RefusesToConvertIntegers) {
    float value = 0;
    std::int64_t integer = 1;
    EXPECT_THAT(test::error_of([&] { to_float(&integer, DType::i64, &value, 1); }),
                ::testing::HasSubstr("I64"));
    EXPECT_THAT(test::error_of([&] { from_float(&value, 1, &integer, DType::i64); }),
                ::testing::HasSubstr("I64"));
}

}  // namespace
}  // namespace galapagos
