// A block's shared memory, with a record of who touched what since the last barrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "emulator/warp.hpp"

namespace galapagos::emulator {

/// Two threads that touch the same bytes, one of them writing, must have a barrier between them:
/// the block's, or one of their warp. Atomic and volatile accesses may meet each other. Bytes that
/// nobody wrote must not be read.
///
/// Records are kept for words of four bytes: of several accesses to different bytes of a word, the
/// last one is known.
class SharedMemory {
  public:
    explicit SharedMemory(std::size_t bytes) : bytes_(bytes), words_((bytes + 3) / 4) {}

    /// All bytes are undefined again.
    void start();
    void barrier() { ++epoch_; }
    std::size_t size() const { return bytes_.size(); }

    /// The bytes at an address, after all checks; throws Fault.
    std::byte* read(Warp& warp, LaneMask lanes, std::uint64_t address, std::size_t size,
                    bool atomic = false);
    std::byte* write(Warp& warp, int lane, std::uint64_t address, std::size_t size,
                     bool atomic = false);

  private:
    struct Word {
        std::uint32_t write_epoch = 0, write_clock = 0;
        std::uint32_t read_epoch = 0, read_clock = 0;
        LaneMask readers = 0;
        std::int16_t writer_warp = 0, reader_warp = 0;
        std::uint8_t writer_lane = 0;
        std::uint8_t written = 0, read = 0;  ///< masks of bytes
        std::uint8_t defined = 0;
        bool write_atomic = false, read_atomic = false;
    };
    static constexpr std::int16_t several = -1;

    void check_place(std::uint64_t address, std::size_t size, LaneMask lanes) const;
    void note_read(Word& word, Warp& warp, LaneMask lanes, std::uint8_t mask, bool atomic);
    void note_write(Word& word, Warp& warp, int lane, std::uint8_t mask, bool atomic);
    void check_after_write(const Word& word, const Warp& warp, LaneMask lanes, const char* what);
    void check_after_reads(const Word& word, const Warp& warp, int lane);

    std::vector<std::byte> bytes_;
    std::vector<Word> words_;
    std::uint32_t epoch_ = 0;
};

}  // namespace galapagos::emulator
