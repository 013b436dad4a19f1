#include "merge/order_statistic.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace galapagos {
namespace {

std::vector<std::uint32_t> values(std::int64_t count, std::uint32_t mask) {
    std::vector<std::uint32_t> result;
    std::uint32_t x = 1;
    for (std::int64_t i = 0; i < count; ++i) {
        x = 1664525 * x + 1013904223;
        result.push_back((x >> 1) & mask);
    }
    return result;
}

TEST(OrderStatistic, AgreesWithSorting) {
    // Values that differ in few bits tie often.
    for (const std::uint32_t mask : {0x7FFFFFFFu, 0x3u, 0x7F000001u, 0u}) {
        for (const std::int64_t count : {1, 5, 1025, 300'000}) {
            const std::vector<std::uint32_t> all = values(count, mask);
            const KeyBlocks keys = [&](std::int64_t at, std::int64_t n, std::uint32_t* out) {
                std::copy_n(all.begin() + at, n, out);
            };
            std::vector<std::int64_t> order(all.size());
            for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
            const auto key = [&](std::int64_t i) { return all[static_cast<std::size_t>(i)]; };
            std::stable_sort(order.begin(), order.end(),
                             [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
            for (const std::int64_t k : {std::int64_t{1}, (count + 1) / 2, count}) {
                const std::int64_t last = order[static_cast<std::size_t>(k - 1)];
                const KeyCut cut = cut_largest(count, k, keys);
                EXPECT_EQ(cut.threshold, key(last));
                EXPECT_EQ(cut.last_tie, last);
            }
            const auto quartiles = keys_at(count, {0, count / 4, count - 1}, keys);
            EXPECT_EQ(quartiles[0], key(order.front()));
            EXPECT_EQ(quartiles[1], key(order[static_cast<std::size_t>(count / 4)]));
            EXPECT_EQ(quartiles[2], key(order.back()));
            EXPECT_EQ(count_nonzero(count, keys), count - std::count(all.begin(), all.end(), 0u));
        }
    }
}

}  // namespace
}  // namespace galapagos
