#pragma once

#include <array>
#include <cstdint>

namespace galapagos {

/// Philox4x32-10: a counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers:
/// as easy as 1, 2, 3", SC 2011). The same counter and key give the same four words on any machine,
/// in any order of calls.
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key);

/// What a random number is for; streams of different purposes are independent.
enum class Purpose : std::uint16_t {
    initial = 1,
    variation,
    selection,
    sampling,
    migration,
    merge_mask,
    topology,
    test
};

/// A stream of random numbers keyed by (seed, island, purpose, index). Nothing depends on the order
/// in which streams are made or used, so results don't depend on timing, ranks or restarts.
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::uint32_t island, Purpose purpose, std::uint64_t index);

    std::uint32_t next_u32();
    std::uint64_t next_u64();
    /// Uniform in [0, 1) with 53 random bits.
    double uniform();
    double uniform(double lower, double upper) { return lower + (upper - lower) * uniform(); }
    /// Standard normal (Box-Muller; both values of a pair are used).
    double normal();
    /// Uniform in {0, ..., bound - 1}, without modulo bias; bound > 0.
    std::uint64_t below(std::uint64_t bound);

  private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
    double spare_normal_ = 0;
    bool has_spare_ = false;
};

}  // namespace galapagos
