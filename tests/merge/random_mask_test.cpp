#include "merge/random_mask.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/hash.hpp"
#include "base/random.hpp"
#include "merge/mask_table.hpp"

namespace galapagos {
namespace {

const MaskStream stream{0x0123456789ABCDEFu, fnv1a("model.layers.3.mlp.up_proj.weight"), 2};

std::vector<RandomWord> words_of(const MaskStream& of, std::int64_t tiles) {
    std::vector<RandomWord> words(static_cast<std::size_t>(tiles * mask_tile));
    mask_words(of, 0, tiles * mask_tile, words.data());
    return words;
}

TEST(RandomMask, WordsAreThoseOfPhilox) {
    const std::vector<RandomWord> words = words_of(stream, 9);
    for (std::size_t e = 0; e < words.size(); ++e) {
        const auto j = static_cast<std::uint32_t>(e % 128);
        const std::uint32_t counter = 16 * static_cast<std::uint32_t>(e / 128) + j % 32 / 2;
        const auto block = philox4x32_10(
            {counter, (stream.position << 16) | static_cast<std::uint32_t>(Purpose::merge_mask),
             static_cast<std::uint32_t>(stream.name_hash),
             static_cast<std::uint32_t>(stream.name_hash >> 32)},
            {static_cast<std::uint32_t>(stream.seed),
             static_cast<std::uint32_t>(stream.seed >> 32)});
        const std::uint32_t word = block[j / 32];
        const std::uint32_t half = j % 2 == 0 ? word & 0xFFFFu : word >> 16;
        ASSERT_EQ(words[e], half) << "element " << e;
    }
}

TEST(RandomMask, AnyRangeGivesTheSameWords) {
    const std::vector<RandomWord> all = words_of(stream, 40);
    std::vector<RandomWord> part(5 * mask_tile);
    mask_words(stream, 17 * mask_tile, 5 * mask_tile, part.data());
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + 17 * mask_tile));
}

TEST(RandomMask, KeepsWithTheAskedProbability) {
    constexpr std::int64_t tiles = 8192;
    const std::vector<RandomWord> words = words_of(stream, tiles);
    const auto n = static_cast<double>(words.size());
    for (const double density : {0.001, 0.1, 0.33, 0.5, 0.9}) {
        const std::uint32_t level = probability_level(density);
        const double p = static_cast<double>(level) / probability_levels;
        EXPECT_NEAR(p, density, 0.5 / probability_levels);
        double kept = 0;
        for (const RandomWord word : words) kept += word < keep_limit(level) ? 1 : 0;
        EXPECT_NEAR(kept / n, p, 4 * std::sqrt(p * (1 - p) / n)) << density;
    }
    EXPECT_EQ(probability_level(1e-9), 1u);
    EXPECT_EQ(probability_level(1 - 1e-9), probability_levels - 1);
}

TEST(RandomMask, StreamsAreIndependent) {
    const auto first = words_of(stream, 64);
    MaskStream others[] = {stream, stream, stream};
    others[0].seed += 1;
    others[1].name_hash += 1;
    others[2].position += 1;
    for (const MaskStream& other : others) {
        const auto second = words_of(other, 64);
        double agree = 0;
        for (std::size_t i = 0; i < first.size(); ++i)
            agree += (first[i] >> 15) == (second[i] >> 15) ? 1 : 0;
        EXPECT_NEAR(agree / static_cast<double>(first.size()), 0.5, 0.03);
    }
    // Neighbours share a Philox word, not bits.
    double agree = 0;
    for (std::size_t i = 0; i + 1 < first.size(); ++i)
        agree += (first[i] >> 15) == (first[i + 1] >> 15) ? 1 : 0;
    EXPECT_NEAR(agree / static_cast<double>(first.size()), 0.5, 0.03);
}

TEST(MaskTable, SumsEveryMask) {
    RandomStream random(6, 0, Purpose::test, 0);
    std::vector<float> base(10'007), source(base.size());
    for (std::size_t i = 0; i < base.size(); ++i) {
        base[i] = static_cast<float>(random.normal());
        source[i] = base[i] + static_cast<float>(0.01 * random.normal());
    }
    const DeltaPair pair{{reinterpret_cast<const std::byte*>(base.data()), DType::f32},
                         {reinterpret_cast<const std::byte*>(source.data()), DType::f32},
                         static_cast<std::int64_t>(base.size())};
    const FixedPoint fixed = fixed_point_of(pair);
    const MaskTable table(pair, fixed, stream);
    const auto words = words_of(stream, pair.count / mask_tile + 1);
    for (const std::uint32_t level : {1u, 100u, 2048u, probability_levels - 1}) {
        std::int64_t sum = 0, total = 0;
        for (std::size_t i = 0; i < base.size(); ++i) {
            const float delta = std::abs(source[i] - base[i]);
            const std::int32_t q = fixed.quantise(std::bit_cast<std::uint32_t>(delta));
            total += q;
            if (words[i] < keep_limit(level)) sum += q;
        }
        EXPECT_EQ(table.kept(level), sum);
        EXPECT_EQ(table.total(), total);
    }
    EXPECT_EQ(table.kept(0), 0);
}

}  // namespace
}  // namespace galapagos
