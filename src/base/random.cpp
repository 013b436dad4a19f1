#include "base/random.hpp"

#include <cmath>
#include <numbers>

#include "base/philox.hpp"

namespace galapagos {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
    philox::State state{counter[0], counter[1], counter[2], counter[3], key[0], key[1]};
    for (int round = 0; round < philox::rounds; ++round) state.advance();
    return {state.c0, state.c1, state.c2, state.c3};
}

RandomStream::RandomStream(std::uint64_t seed, std::uint32_t island, Purpose purpose,
                           std::uint64_t index)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      // Word 0 counts the blocks of the stream; the other words name the stream: 16 bits of island,
      // 16 of purpose, 64 of index.
      counter_{0, (island << 16) | static_cast<std::uint32_t>(purpose),
               static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)} {}

std::uint32_t RandomStream::next_u32() {
    if (used_ == 4) {
        block_ = philox4x32_10(counter_, key_);
        ++counter_[0];
        used_ = 0;
    }
    return block_[used_++];
}

std::uint64_t RandomStream::next_u64() {
    const std::uint64_t high = next_u32();
    return high << 32 | next_u32();
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double RandomStream::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_normal_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_normal_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
    const std::uint64_t threshold =
        (0 - bound) % bound;  // 2^64 mod bound: values below it would be over-represented
    while (true) {
        const std::uint64_t value = next_u64();
        if (value >= threshold) return value % bound;
    }
}

}  // namespace galapagos
