// What sums over ranks cost: bytes that a rank gets, and collectives.
#pragma once

#include <cstdint>

#include "model/decoder.hpp"

namespace galapagos::cuda {

/// How the ranks' shares come together.
enum class SumWay {
    gathered,   ///< every rank gets all shares, and adds them up by itself
    exchanged,  ///< a rank adds up some of the rows, and the others get these from it
    in_place    ///< by the device, in an order of its own
};

/// Bytes that an exchange must spare a rank before the time of a second collective is worth it:
/// what NVLink brings in the ten microseconds that it takes at least.
inline constexpr std::int64_t worth_exchanging = std::int64_t{4} << 20;

/// A sum of elements of fp32 over ranks, of which results of a size are wanted.
struct RankSum {
    std::int64_t ranks = 1;
    std::int64_t elements = 0;
    std::int64_t size_of_result = 4;

    /// Bytes that an exchange spares a rank for every `ranks` elements: it gets a share and a
    /// result of as many elements as there are other ranks, instead of those ranks' shares of all.
    constexpr std::int64_t spared() const {
        const std::int64_t share = sizeof(float);
        return (ranks - 1) * (ranks * share - share - size_of_result);
    }
    constexpr bool worth_an_exchange() const {
        return elements * spared() >= worth_exchanging * ranks;
    }
    /// `beside` other work only bytes count, and a large sum's are fewer.
    constexpr SumWay way(Reductions reductions, bool beside) const {
        if (reductions == Reductions::fast) return SumWay::in_place;
        return ranks > 1 && (beside || worth_an_exchange()) ? SumWay::exchanged : SumWay::gathered;
    }

    /// Bytes that a rank gets from others, in place by a ring.
    constexpr double received(SumWay way) const {
        const auto others = static_cast<double>((ranks - 1) * elements);
        if (way == SumWay::gathered) return others * sizeof(float);
        const double result =
            way == SumWay::exchanged ? static_cast<double>(size_of_result) : double{sizeof(float)};
        return others / static_cast<double>(ranks) * (sizeof(float) + result);
    }
    static constexpr int collectives(SumWay way) { return way == SumWay::exchanged ? 2 : 1; }
};

}  // namespace galapagos::cuda
