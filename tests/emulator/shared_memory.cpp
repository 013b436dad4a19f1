#include "emulator/shared_memory.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

std::string place(std::uint64_t address, std::size_t size) {
    return std::to_string(size) + " bytes of shared memory at " + std::to_string(address);
}

}  // namespace

void SharedMemory::start() {
    std::memset(bytes_.data(), 0xFF, bytes_.size());
    for (Word& word : words_) word.defined = 0;
    ++epoch_;
}

void SharedMemory::out_of_place(std::uint64_t address, std::size_t size, LaneMask lanes) const {
    const int lane = __builtin_ctz(lanes);
    if ((address & (size - 1)) != 0) throw Fault(place(address, size) + " are misaligned", lane);
    throw Fault(
        place(address, size) + " lie outside of the block's " + std::to_string(bytes_.size()),
        lane);
}

void SharedMemory::note_read(Word& word, Warp& warp, LaneMask lanes, std::uint8_t mask,
                             bool atomic) {
    if ((word.defined & mask) != mask)
        throw Fault("reads shared memory that nobody wrote", __builtin_ctz(lanes));
    if (word.write_epoch == epoch_ && (word.written & mask) != 0 && !(atomic && word.write_atomic))
        check_after_write(word, warp, lanes, "reads");
    const std::int8_t number = number_of(warp);
    const std::uint32_t clock = warp.clock(__builtin_ctz(lanes));
    if (word.read_epoch != epoch_) {
        word.read_epoch = epoch_;
        word.reader_warp = number;
        word.readers = lanes;
        word.read = mask;
        word.read_clock = clock;
        word.read_atomic = atomic;
        return;
    }
    if (word.reader_warp != number) word.reader_warp = several;
    word.readers |= lanes;
    word.read = static_cast<std::uint8_t>(word.read | mask);
    word.read_clock = std::max(word.read_clock, clock);
    word.read_atomic = word.read_atomic && atomic;
}

void SharedMemory::note_write(Word& word, Warp& warp, int lane, std::uint8_t mask, bool atomic) {
    if (word.write_epoch == epoch_ && (word.written & mask) != 0 && !(atomic && word.write_atomic))
        check_after_write(word, warp, LaneMask{1} << lane, "writes");
    if (word.read_epoch == epoch_ && (word.read & mask) != 0 && !(atomic && word.read_atomic))
        check_after_reads(word, warp, lane);
    word.defined = static_cast<std::uint8_t>(word.defined | mask);
    // A plain write before an atomic one of the same thread says more.
    const bool own = word.writer_warp == warp.number() && word.writer_lane == lane;
    if (atomic && own && word.write_epoch == epoch_ && !word.write_atomic) return;
    word.write_epoch = epoch_;
    word.write_clock = warp.clock(lane);
    word.writer_warp = number_of(warp);
    word.writer_lane = static_cast<std::uint8_t>(lane);
    word.written = mask;
    word.write_atomic = atomic;
}

void SharedMemory::check_after_write(const Word& word, const Warp& warp, LaneMask lanes,
                                     const char* what) {
    const bool same_warp = word.writer_warp == warp.number();
    for (; lanes != 0; lanes &= lanes - 1) {
        const int lane = __builtin_ctz(lanes);
        if (same_warp &&
            (word.writer_lane == lane || warp.knows(lane, word.writer_lane, word.write_clock)))
            continue;
        throw Fault(std::string(what) + " shared memory that thread " +
                        std::to_string(word.writer_warp * warp_lanes + word.writer_lane) +
                        " wrote, with no barrier between them",
                    lane);
    }
}

void SharedMemory::check_after_reads(const Word& word, const Warp& warp, int lane) {
    const LaneMask others = word.readers & ~(LaneMask{1} << lane);
    const bool same_warp = word.reader_warp == warp.number();
    bool known = same_warp;
    for (LaneMask left = others; known && left != 0; left &= left - 1)
        known = warp.knows(lane, __builtin_ctz(left), word.read_clock);
    if (known) return;
    throw Fault("writes shared memory that other threads read, with no barrier between them", lane);
}

}  // namespace galapagos::emulator
