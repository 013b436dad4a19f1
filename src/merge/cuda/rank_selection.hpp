// The n-th of elements that lie on the devices of several ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/lockstep.hpp"
#include "merge/cuda/pass_launches.hpp"
#include "merge/placed_key.hpp"

namespace galapagos::cuda {

/// One element that is searched for: of the keys from `low` to `high` at places from `first` to
/// `last` of a tensor, number `rank`, from 1, by descending key and ascending place.
struct PlaceSearch {
    std::vector<StatisticJob> entries;  ///< where this rank has such places
    std::uint32_t low = 0, high = 0;
    std::int64_t first = 0, last = 0;
    std::int64_t rank = 1;
    std::int64_t matches = 0;  ///< how many there are on all ranks
    float scale = 0;           ///< of fixed-point numbers

    PlacedKey found = 0;
    std::int64_t units = 0;  ///< of all up to it
};

/// Leaves of the entries what lies in one chunk of the whole tensor.
void keep_chunk(std::int64_t chunk, std::vector<StatisticJob>& entries);

/// Collective. Each rank collects its own by the pass `collection`; then they count together how
/// these go on, digit by digit. Of all searches a few numbers are exchanged for each digit.
void find_places(std::span<PlaceSearch> searches, StatisticPass collection, PassLaunches& launches,
                 Lockstep& lockstep);

}  // namespace galapagos::cuda
