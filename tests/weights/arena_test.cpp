#include "weights/arena.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

TEST(Arena, PlacesAlignedZeroedTensors) {
    Arena arena({{"a", DType::u8, {3}},
                 {"b", DType::f32, {5, 7}},
                 {"empty", DType::f32, {0}},
                 {"c", DType::bf16, {1}}});
    EXPECT_EQ(arena.bytes(), 64u + 192u + 64u);
    EXPECT_EQ(arena.specs().size(), 4u);
    for (const char* name : {"a", "b", "c"}) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.tensor(name).data) % 64, 0u);
    }
    EXPECT_TRUE(std::all_of(arena.span().begin(), arena.span().end(),
                            [](std::byte b) { return b == std::byte{0}; }));
    arena.tensor("b").data[139] = std::byte{7};
    EXPECT_EQ(arena.view("b").data[139], std::byte{7});
    EXPECT_EQ(arena.view("b").shape, (Shape{5, 7}));
    EXPECT_TRUE(arena.has("a"));
    EXPECT_FALSE(arena.has("d"));
}

TEST(Arena, KeepsAddressesWhenMoved) {
    Arena first({{"a", DType::f32, {1000}}});
    std::byte* address = first.tensor("a").data;
    Arena second = std::move(first);
    EXPECT_EQ(second.tensor("a").data, address);
    EXPECT_EQ(first.bytes(), 0u);
    first = std::move(second);
    EXPECT_EQ(first.tensor("a").data, address);
}

TEST(Arena, LargeArenasBeginOnAHugePage) {
    Arena arena({{"a", DType::f32, {2'000'000}}});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.span().data()) % (2 << 20), 0u);
    arena.span().back() = std::byte{1};
}

TEST(Arena, RefusesUnknownAndDuplicateNames) {
    Arena arena({{"weight", DType::f32, {1}}});
    EXPECT_THAT(test::error_of([&] { arena.tensor("wieght"); }), HasSubstr("weight"));
    EXPECT_THAT(test::error_of([&] {
                    Arena({{"a", DType::u8, {1}}, {"a", DType::u8, {1}}});
                }),
                HasSubstr("'a'"));
    EXPECT_THAT(test::error_of([&] {
                    Arena({{"a", DType::u8, {std::int64_t{1} << 60}}});
                }),
                HasSubstr("can't reserve"));
}

TEST(Arena, ALayoutNeedsNoMemory) {
    const std::vector<TensorSpec> specs{{"small", DType::f32, {3}},
                                        {"large", DType::f32, {std::int64_t{1} << 40}}};
    const Arena layout(specs, ArenaUse::layout);
    EXPECT_EQ(layout.bytes(), 64 + (std::size_t{1} << 42));
    EXPECT_EQ(layout.view("large").data - layout.view("small").data, 64);
}

}  // namespace
}  // namespace galapagos
