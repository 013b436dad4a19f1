// Which parts of a task vector have magnitudes in a range.
#pragma once

#include <algorithm>
#include <cstdint>

#include "merge/delta.hpp"

namespace galapagos {

/// Elements that are looked at together.
inline constexpr std::int64_t scan_run = 64;

/// Counts, for each full run of [begin, begin + runs * scan_run), the elements whose |delta| has a
/// bit pattern in [low, high].
void count_in_runs(const DeltaPair& pair, std::int64_t begin, std::int64_t runs, std::uint32_t low,
                   std::uint32_t high, std::uint8_t* counts);

/// Calls visit(first element, length, matches) for the runs of [begin, end) that hold such
/// elements, neighbours together.
template <typename Visit>
void for_each_matching_run(const DeltaPair& pair, std::int64_t begin, std::int64_t end,
                           std::uint32_t low, std::uint32_t high, Visit&& visit) {
    constexpr std::int64_t most = block_elements / scan_run;
    std::uint8_t counts[most];
    std::int64_t at = begin;
    while (end - at >= scan_run) {
        const std::int64_t runs = std::min(most, (end - at) / scan_run);
        count_in_runs(pair, at, runs, low, high, counts);
        for (std::int64_t run = 0; run < runs;) {
            std::int64_t matches = 0, first = run;
            for (; run < runs && counts[run] > 0; ++run) matches += counts[run];
            if (matches > 0) visit(at + first * scan_run, (run - first) * scan_run, matches);
            while (run < runs && counts[run] == 0) ++run;
        }
        at += runs * scan_run;
    }
    if (at == end) return;
    for_each_key_block(pair, at, end, [&](const std::uint32_t* keys, std::int64_t, std::int64_t n) {
        const std::int64_t found = loops::count_between(keys, low, high, n);
        if (found > 0) visit(at, n, found);
    });
}

}  // namespace galapagos
