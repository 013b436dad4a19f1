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
                    bool atomic = false) {
        if (!in_place(address, size)) out_of_place(address, size, lanes);
        for (std::size_t word = address / 4; word * 4 < address + size; ++word)
            note_read(words_[word], warp, lanes, bytes_in_word(address, size), atomic);
        return bytes_.data() + address;
    }
    std::byte* write(Warp& warp, int lane, std::uint64_t address, std::size_t size,
                     bool atomic = false) {
        if (!in_place(address, size)) out_of_place(address, size, LaneMask{1} << lane);
        for (std::size_t word = address / 4; word * 4 < address + size; ++word)
            note_write(words_[word], warp, lane, bytes_in_word(address, size), atomic);
        return bytes_.data() + address;
    }

  private:
    struct alignas(32) Word {
        std::uint32_t write_epoch = 0, write_clock = 0;
        std::uint32_t read_epoch = 0, read_clock = 0;
        LaneMask readers = 0;
        std::int8_t writer_warp = 0, reader_warp = 0;
        std::uint8_t writer_lane = 0;
        std::uint8_t written = 0, read = 0;  ///< masks of bytes
        std::uint8_t defined = 0;
        bool write_atomic = false, read_atomic = false;
    };
    static constexpr std::int8_t several = -1;

    bool in_place(std::uint64_t address, std::size_t size) const {
        return (address & (size - 1)) == 0 && address <= bytes_.size() &&
               size <= bytes_.size() - address;
    }
    [[noreturn]] void out_of_place(std::uint64_t address, std::size_t size, LaneMask lanes) const;
    /// Of the word that an access begins in; larger ones take whole words.
    static std::uint8_t bytes_in_word(std::uint64_t address, std::size_t size) {
        return size >= 4 ? std::uint8_t{15}
                         : static_cast<std::uint8_t>(((1u << size) - 1) << address % 4);
    }
    /// Numbers of warps go up to 31.
    static std::int8_t number_of(const Warp& warp) {
        return static_cast<std::int8_t>(warp.number());
    }
    void note_read(Word& word, Warp& warp, LaneMask lanes, std::uint8_t mask, bool atomic);
    void note_write(Word& word, Warp& warp, int lane, std::uint8_t mask, bool atomic);
    void check_after_write(const Word& word, const Warp& warp, LaneMask lanes, const char* what);
    void check_after_reads(const Word& word, const Warp& warp, int lane);

    std::vector<std::byte> bytes_;
    std::vector<Word> words_;
    std::uint32_t epoch_ = 0;
};

}  // namespace galapagos::emulator
