#include "emulator/global_watch.hpp"

#include <atomic>

namespace galapagos::emulator {
namespace {

// Below the toucher's bits.
constexpr std::uint64_t bytes = 3, atomic_access = 4, several_warps = 8, several_blocks = 16;

bool same_launch(std::uint64_t a, std::uint64_t b) { return a >> 42 == b >> 42; }
bool same_block(std::uint64_t a, std::uint64_t b) { return a >> 22 == b >> 22; }
bool same_warp(std::uint64_t a, std::uint64_t b) { return a >> 17 == b >> 17; }
bool same_phase(std::uint64_t a, std::uint64_t b) { return (a >> 6 & 0x7FF) == (b >> 6 & 0x7FF); }

bool meet(std::uint64_t recorded, std::uint64_t mine) {
    return same_launch(recorded, mine) && (recorded & mine & bytes) != 0 &&
           (recorded & mine & atomic_access) == 0;
}

/// Blocks run side by side: a record that two of them change at once is one of theirs.
std::uint64_t load(std::uint64_t& record) {
    return std::atomic_ref(record).load(std::memory_order_relaxed);
}
void store(std::uint64_t& record, std::uint64_t value) {
    std::atomic_ref(record).store(value, std::memory_order_relaxed);
}

const char* race_with_write(std::uint64_t writer, std::uint64_t mine) {
    if (!meet(writer, mine)) return nullptr;
    if (!same_block(writer, mine)) return "another block wrote";
    if (!same_warp(writer, mine) && same_phase(writer, mine)) return "another warp wrote";
    return nullptr;
}

const char* race_with_read(std::uint64_t reader, std::uint64_t mine) {
    if (!meet(reader, mine)) return nullptr;
    if ((reader & several_blocks) != 0 || !same_block(reader, mine)) return "another block read";
    const bool others = (reader & several_warps) != 0 || !same_warp(reader, mine);
    return others && same_phase(reader, mine) ? "another warp read" : nullptr;
}

/// The reader's record with another reader.
std::uint64_t read_by(std::uint64_t reader, std::uint64_t mine) {
    if (!same_launch(reader, mine)) return mine;
    std::uint64_t made = mine | (reader & (bytes | several_blocks));
    if ((reader & atomic_access) == 0) made &= ~atomic_access;
    if (!same_block(reader, mine)) return made | several_blocks;
    if (!same_phase(reader, mine)) return made;
    return made | (reader & several_warps) | (same_warp(reader, mine) ? 0 : several_warps);
}

}  // namespace

const char* touch(Touched& touched, Toucher who, unsigned mask, Access access) {
    const std::uint64_t mine =
        who.bits() | mask | (access == Access::atomic ? atomic_access : std::uint64_t{0});
    if (const char* race = race_with_write(load(touched.writer), mine)) return race;
    const std::uint64_t reader = load(touched.reader);
    if (access == Access::read) {
        if (const std::uint64_t made = read_by(reader, mine); made != reader)
            store(touched.reader, made);
        return nullptr;
    }
    if (const char* race = race_with_read(reader, mine)) return race;
    store(touched.writer, mine);
    return nullptr;
}

}  // namespace galapagos::emulator
