// What the ranks of a group contribute to a sum, added up by whoever reads it.
#pragma once

#include <cstdint>

#include "model/cuda/elements.hpp"

namespace galapagos::cuda {

/// The ranks' shares one after the other, the same on every rank.
struct RankShares {
    const float* values = nullptr;  ///< [ranks][elements]
    int ranks = 1;
    std::int64_t elements = 0;
};

/// Part of the sum, in rank order: the bits that TensorGroup gives it, however the shares came.
GALAPAGOS_HOST_DEVICE inline void load_sum(const RankShares& shares, std::int64_t at, int count,
                                           float (&sum)[chunk_elements]) {
    load_chunk(shares.values + at, count, sum);
    for (int rank = 1; rank < shares.ranks; ++rank) {
        float share[chunk_elements];
        load_chunk(shares.values + rank * shares.elements + at, count, share);
        for (int i = 0; i < chunk_elements; ++i) sum[i] += share[i];
    }
}

}  // namespace galapagos::cuda
