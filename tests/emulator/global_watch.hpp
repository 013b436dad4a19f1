// Who touched which bytes of global memory in the launch under way.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galapagos::emulator {

/// A block's warp between two barriers of the block, in one launch.
class Toucher {
  public:
    static Toucher of(std::uint64_t launch, std::uint64_t block, std::uint64_t warp,
                      std::uint64_t phase) {
        return Toucher((launch & 0x3FFFFF) << 42 | (block & 0xFFFFF) << 22 | (warp & 0x1F) << 17 |
                       (phase & 0x7FF) << 6);
    }
    std::uint64_t bits() const { return bits_; }

  private:
    explicit Toucher(std::uint64_t bits) : bits_(bits) {}
    std::uint64_t bits_;
};

enum class Access { read, write, atomic };

/// The last accesses to two bytes, of which each has a bit. Zero: nobody's.
struct Touched {
    std::uint64_t writer = 0, reader = 0;
};

/// Two accesses to the same bytes, one of them writing, race unless both are atomic: from
/// different blocks always, from different warps of a block unless there was a barrier between
/// them. (Lanes of one warp are not told apart.) `mask` has the bits of the bytes. Returns what the
/// access races with, or nullptr.
const char* touch(Touched& touched, Toucher who, unsigned mask, Access access);

}  // namespace galapagos::emulator
