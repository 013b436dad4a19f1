#include "merge/delta.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/parallel.hpp"

namespace galapagos {

std::uint32_t largest_magnitude(const DeltaPair& pair) {
    std::atomic<std::uint32_t> largest{0};
    parallel_for(0, delta_chunks(pair.count), 1, [&](std::int64_t first, std::int64_t last) {
        std::uint32_t own = 0;
        for_each_key_block(pair, first * delta_chunk, std::min(pair.count, last * delta_chunk),
                           [&](const std::uint32_t* keys, std::int64_t, std::int64_t count) {
                               own = std::max(own, loops::largest(keys, count));
                           });
        std::uint32_t seen = largest.load();
        while (seen < own && !largest.compare_exchange_weak(seen, own)) {
        }
    });
    return largest;
}

FixedPoint fixed_point_of(std::uint32_t largest) {
    constexpr std::uint32_t infinity = 0x7F800000u;
    FixedPoint fixed;
    fixed.finite = largest < infinity;
    if (!fixed.finite) return fixed;
    const int exponent = static_cast<int>(largest >> 23) - 126;  // every |delta| < 2^exponent
    const int shift = std::min(30 - exponent, 120);
    fixed.scale = std::ldexp(1.0f, shift);
    fixed.unit = std::ldexp(1.0, -shift);
    return fixed;
}

double l1_rescale(const FixedPoint& fixed, std::int64_t total, std::int64_t kept) {
    constexpr double smallest_norm = 1e-7;
    const double before = static_cast<double>(total) * fixed.unit;
    const double after = static_cast<double>(kept) * fixed.unit;
    if (!fixed.finite || before < smallest_norm || after < smallest_norm) return 1;
    return before / after;
}

}  // namespace galapagos
