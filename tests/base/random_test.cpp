#include "base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/hash.hpp"

namespace galapagos {
namespace {

// Known answers published with the Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, AgreesWithThePublishedVectors) {
    using Words = std::array<std::uint32_t, 4>;
    EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}),
              (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    constexpr std::uint32_t f = 0xffffffff;
    EXPECT_EQ(philox4x32_10({f, f, f, f}, {f, f}),
              (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(
        philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
        (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DependsOnItsKeyAlone) {
    RandomStream a(1, 2, Purpose::variation, 3), b(1, 2, Purpose::variation, 3);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(a.next_u64(), b.next_u64());
    RandomStream other_island(1, 3, Purpose::variation, 3),
        other_purpose(1, 2, Purpose::selection, 3), other_index(1, 2, Purpose::variation, 4),
        other_seed(2, 2, Purpose::variation, 3);
    RandomStream first(1, 2, Purpose::variation, 3);
    const auto word = first.next_u64();
    for (auto* stream : {&other_island, &other_purpose, &other_index, &other_seed})
        EXPECT_NE(stream->next_u64(), word);
}

TEST(RandomStream, HasTheMomentsOfItsDistributions) {
    RandomStream stream(7, 0, Purpose::test, 0);
    constexpr int n = 200000;
    double mean = 0, square = 0, normal_mean = 0, normal_square = 0;
    std::vector<int> counts(7);
    for (int i = 0; i < n; ++i) {
        const double u = stream.uniform(), z = stream.normal();
        ASSERT_GE(u, 0);
        ASSERT_LT(u, 1);
        mean += u / n;
        square += u * u / n;
        normal_mean += z / n;
        normal_square += z * z / n;
        ++counts[stream.below(7)];
    }
    EXPECT_NEAR(mean, 0.5, 0.005);
    EXPECT_NEAR(square, 1.0 / 3, 0.005);
    EXPECT_NEAR(normal_mean, 0, 0.01);
    EXPECT_NEAR(normal_square, 1, 0.02);
    for (const int count : counts) EXPECT_NEAR(count, n / 7.0, 5 * std::sqrt(n / 7.0));
}

TEST(Hash, AgreesWithPublishedDigests) {
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
}

}  // namespace
}  // namespace galapagos
